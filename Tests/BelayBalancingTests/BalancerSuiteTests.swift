import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

/// Algorithms that are broken on purpose: the suite has to say which promise each of them breaks.
@Suite struct BalancerSuiteTests {
    enum Fault: CaseIterable {
        case picksAnybody
        case givesUpEarly
        case ignoresWeights
        case ignoresChangedWeights
        case catchesUp
        case forgetsSlowStart
        case countsBoundClients
        case asksEverybody
        case dependsOnTheRun
    }

    @Test(
        arguments: zip(
            Fault.allCases,
            [
                .picksOnlyServersThatMayBePicked,
                .answersNilOnlyIfAllArePassedOver,
                .followsWeightsWhenIdle,
                .followsWeightsThatChanged,
                .servesReturnedServersTheirShare,
                .servesStartingServersAPart,
                .countsNoTurnsOfBoundClients,
                .costsTheSameForManyServers,
                .repeatsItselfForTheSameSeed,
            ] as [BalancerSuite<Broken>.Promise]
        )
    )
    func `the suite catches`(fault: Fault, promise: BalancerSuite<Broken>.Promise) {
        let error = #expect(throws: BalancerSuite<Broken>.Broken.self) {
            try BalancerSuite { weights, _ in Broken(fault, weights) }.run()
        }
        #expect(error?.promise == promise, "\(error?.description ?? "")")
    }

    /// A draw by weight, asked one by one, with a fault.
    struct Broken: PickingAlgorithm {
        let fault: Fault
        var weights: [Weight] {
            didSet { self.heaviest = Self.heaviest(self.weights) }
        }
        var served: [Int]
        var opened: [Int]
        private var heaviest: Int

        init(_ fault: Fault, _ weights: [Weight]) {
            self.fault = fault
            self.weights = weights
            self.served = weights.map { _ in 0 }
            self.opened = self.served
            self.heaviest = Self.heaviest(weights)
        }

        private static func heaviest(_ weights: [Weight]) -> Int {
            weights.reduce(1) { Swift.max($0, Int($1.rawValue)) }
        }

        mutating func pick(
            _ view: some ServerPoolView,
            key: PickKey,
            now: Instant,
            random: inout RandomSource
        ) -> Int? {
            let server = self.choose(view, &random)
            if let server { self.served[server] += 1 }
            return server
        }

        private mutating func choose(
            _ view: some ServerPoolView,
            _ random: inout RandomSource
        ) -> Int? {
            switch self.fault {
            case .picksAnybody:
                return random.below(view.count)
            case .givesUpEarly:
                let server = random.below(view.count)
                return view.passOver(server) == .no ? server : nil
            case .catchesUp:
                return (0..<view.count).filter { view.passOver($0) == .no }
                    .min { self.load($0) < self.load($1) }
            case .dependsOnTheRun:
                var system = SystemRandomNumberGenerator()
                random = RandomSource(seed: system.next())
                return self.draw(view, &random, few: true)
            case .asksEverybody:
                return self.draw(view, &random, few: false)
            case .ignoresWeights, .ignoresChangedWeights, .forgetsSlowStart:
                return self.draw(view, &random, few: true)
            case .countsBoundClients:
                let server = self.draw(view, &random, few: true)
                // One that had many requests without being picked has to wait.
                guard let server, self.opened[server] > self.served[server] + 50 else {
                    return server
                }
                return self.draw(view, &random, few: true)
            }
        }

        private func load(_ server: Int) -> Double {
            Double(self.served[server] + 1) / Double(self.weights[server].rawValue)
        }

        private func draw(
            _ view: some ServerPoolView,
            _ random: inout RandomSource,
            few: Bool
        ) -> Int? {
            // Some draws cost few questions; then everybody is asked.
            for _ in 0..<(few ? 40 : 0) {
                let server = random.below(view.count)
                let weight = self.fault == .ignoresWeights ? 1 : Int(self.weights[server].rawValue)
                let heaviest = self.fault == .ignoresWeights ? 1 : self.heaviest
                if random.below(heaviest) < weight && view.passOver(server) == .no {
                    return server
                }
            }
            var chosen: Int?
            var sum = 0
            for server in 0..<view.count where view.passOver(server) == .no {
                let weight = Swift.max(Int(self.weights[server].rawValue), 1)
                sum += weight
                if random.below(sum) < weight { chosen = server }
            }
            return chosen
        }

        func draw(_ key: PickKey, _ random: inout RandomSource) -> UInt32 {
            self.fault == .forgetsSlowStart ? 0 : UInt32(truncatingIfNeeded: random.next()) | 1
        }

        mutating func requestOpened(_ index: Int) { self.opened[index] += 1 }

        mutating func requestClosed(_ index: Int) {}

        mutating func weightsChanged(_ weights: [Weight]) {
            if self.fault != .ignoresChangedWeights { self.weights = weights }
        }
    }
}
