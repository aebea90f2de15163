import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

@Suite struct RandomOfTwoTests {
    @Test func `of two servers the idler one is picked`() {
        let pool = ModelServerPool(weights: [1, 1])
        var balancer = RandomOfTwo(weights: pool.weights)
        pool.open = [3, 2]
        var random = RandomSource(seed: 1)
        var picks = [0, 0]
        for _ in 0..<1_000 {
            if let server = balancer.pick(pool, random: &random) { picks[server] += 1 }
        }
        // Four draws in a row hit the busier one in a sixteenth of the picks that drew it first.
        #expect(picks[0] < 50)
    }

    @Test func `load is compared by weight`() {
        let pool = ModelServerPool(weights: [1, 4])
        var balancer = RandomOfTwo(weights: pool.weights)
        pool.open = [2, 7]
        var random = RandomSource(seed: 1)
        var picks = [0, 0]
        for _ in 0..<1_000 {
            if let server = balancer.pick(pool, random: &random) { picks[server] += 1 }
        }
        #expect(picks[1] > 990)
    }

    @Test func `the longest queue is far shorter than with one draw`() {
        // 10,000 requests that stay, on 1,000 servers: one draw gives a longest queue of about 24.
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 1_000))
        var balancer = RandomOfTwo(weights: pool.weights)
        var random = RandomSource(seed: 1)
        for _ in 0..<10_000 {
            if let server = balancer.pick(pool, random: &random) { pool.open[server] += 1 }
        }
        #expect((pool.open.max() ?? 0) <= 13)
    }

    @Test(arguments: [1, 2, 9, 50, 99])
    func `picks spread evenly over those that are left`(left: Int) {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 100))
        var balancer = RandomOfTwo(weights: pool.weights)
        for server in left..<100 { pool.passedOver[server] = .maintenance }
        var random = RandomSource(seed: 3)
        var picks = Array(repeating: 0, count: 100)
        for _ in 0..<(left * 200) {
            if let server = balancer.pick(pool, random: &random) { picks[server] += 1 }
        }
        #expect(picks[..<left].allSatisfy { (110...290).contains($0) }, "\(picks[..<left])")
        #expect(picks[left...].allSatisfy { $0 == 0 })
    }

    @Test func `those that are left share by weight when the draws find nobody`() {
        let pool = ModelServerPool(weights: Array(repeating: 50, count: 500) + [3, 1])
        var balancer = RandomOfTwo(weights: pool.weights)
        for server in 0..<500 { pool.passedOver[server] = .ejected }
        var random = RandomSource(seed: 3)
        var picks = Array(repeating: 0, count: 502)
        for _ in 0..<1_000 {
            if let server = balancer.pick(pool, random: &random) { picks[server] += 1 }
        }
        #expect((680...820).contains(picks[500]), "\(picks[500])")
        #expect(picks[500] + picks[501] == 1_000)
    }

    @Test(arguments: [
        ([1, 1, 1, 1], [1, 0, 0, 0]),
        ([256, 1, 1, 1], [1, 1, 0, 0]),
    ])
    func `a pick asks at most each server, and its draws`(weights: [Int], passedOver: [Int]) {
        let pool = ModelServerPool(weights: weights)
        for server in 0..<4 where passedOver[server] == 1 { pool.passedOver[server] = .ejected }
        var balancer = RandomOfTwo(weights: pool.weights)
        var random = RandomSource(seed: 4)
        for _ in 0..<500 {
            let before = pool.questions
            _ = balancer.pick(pool, random: &random)
            #expect(pool.questions - before <= 8 + 4 + 4 + 2 * 4)
        }
    }
}
