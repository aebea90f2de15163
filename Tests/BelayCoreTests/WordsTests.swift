import BelayCore
import Testing

@Suite struct WordsTests {
    @Test(
        arguments: [
            ("web1", true), ("10.0.0.1:80", true), ("[::1]:80", true), ("a_B-c.d", true),
            (String(repeating: "x", count: 128), true), (String(repeating: "x", count: 129), false),
            ("", false), ("a b", false), ("a/b", false), ("ä", false), ("a\n", false),
            ("a\"b", false),
        ]
    )
    func `names have letters, digits and a few signs`(text: String, isName: Bool) {
        #expect((ServerName(text) != nil) == isName)
        #expect((PoolName(text) != nil) == isName)
        if isName { #expect(ServerName(text)?.description == text) }
    }

    @Test(arguments: [(-1, false), (0, true), (1, true), (256, true), (257, false)])
    func `a weight is within 0 and 256`(value: Int, isWeight: Bool) {
        #expect((Weight(value) != nil) == isWeight)
    }

    @Test func `weights are ordered`() {
        #expect(Weight.zero < .one)
        #expect(Weight.one < .maximum)
        #expect(Weight(256) == .maximum)
    }

    /// The spellings that the log, the metrics and the configuration share.
    @Test func `no two words of a kind are spelled alike`() {
        func check(_ names: [StaticString]) {
            #expect(Set(names.map(\.description)).count == names.count)
            for name in names {
                #expect(name.description.allSatisfy { $0.isLowercase || $0 == "-" }, "\(name)")
            }
        }
        check(PersistenceVerdict.allCases.map(\.name))
        check(PickRule.allCases.map(\.name))
        check(Algorithm.allCases.map(\.name))
        check(PassOver.allCases.map(\.name))
        check(AdminState.allCases.map(\.name))
        check(Health.allCases.map(\.name))
    }

    @Test(arguments: Algorithm.allCases)
    func `an algorithm is spelled as its rule`(algorithm: Algorithm) {
        #expect(algorithm.name.description == algorithm.rule.name.description)
    }
}

@Suite struct TimeTests {
    @Test func `spans of all units agree`() {
        #expect(TimeSpan.hours(1) == .minutes(60))
        #expect(TimeSpan.minutes(1) == .seconds(60))
        #expect(TimeSpan.seconds(1) == .milliseconds(1000))
        #expect(TimeSpan.milliseconds(1) == .microseconds(1000))
        #expect(TimeSpan.milliseconds(1500).seconds == 1.5)
        #expect(TimeSpan.microseconds(2500).milliseconds == 2)
        #expect(TimeSpan.seconds(1) + .seconds(2) == .seconds(3))
        #expect(TimeSpan.seconds(2) * 3 == .seconds(6))
        #expect(TimeSpan.hours(1) < .hours(2))
    }

    @Test func `time does not overflow`() {
        let late = Instant(nanoseconds: .max - 1)
        #expect(late + .seconds(1) == .distantFuture)
        #expect(Instant.distantFuture + .hours(1) == .distantFuture)
        #expect((TimeSpan(nanoseconds: .max / 2) * 3).nanoseconds == .max)
    }

    @Test func `a span is the way between two instants`() {
        let start = Instant(nanoseconds: 5)
        #expect((start + .seconds(3)) - start == .seconds(3))
        #expect(start < start + .microseconds(1))
        #expect(UnixTime(seconds: 1) < UnixTime(seconds: 2))
    }
}

@Suite struct RandomSourceTests {
    @Test func `a seed gives the numbers of SplitMix64`() {
        // The first outputs of the published generator for the seed 1234567.
        var random = RandomSource(seed: 1_234_567)
        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
        #expect(random.next() == 9_817_491_932_198_370_423)
    }

    @Test(arguments: [1, 2, 3, 10, 1000])
    func `numbers stay below their bound and reach all of it`(bound: Int) {
        var random = RandomSource(seed: 7)
        var counts = [Int](repeating: 0, count: bound)
        for _ in 0..<(bound * 200) { counts[random.below(bound)] += 1 }
        // 200 expected each; 100 to 300 is more than seven standard deviations.
        #expect(counts.allSatisfy { (100...300).contains($0) })
    }
}
