import BelayCore
import BelayPersistence
import Testing

/// What time does to a binding: idle, lifetime, midnight, wrong clocks.
struct BindingTimeTests {
    /// 30 minutes and 8 hours.
    private let settings: PersistenceSettings

    init() throws { self.settings = try PersistenceSettings() }

    enum Want: Sendable {
        case holds, idle, lifetime, tampered
    }

    private func expect(
        _ opening: BindingOpening,
        _ want: Want,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        switch want {
        case .holds: #expect(opening.binding != nil, sourceLocation: sourceLocation)
        case .idle: #expect(opening == .expiredIdle, sourceLocation: sourceLocation)
        case .lifetime: #expect(opening == .expiredLifetime, sourceLocation: sourceLocation)
        case .tampered: #expect(opening == .tampered, sourceLocation: sourceLocation)
        }
    }

    /// Renewed so many seconds after it was issued, opened so many after that.
    @Test(
        arguments: [
            (0, 0, Want.holds),
            (0, 1800, .holds),
            (0, 1801, .idle),
            (0, 259_200, .idle),
            (28_790, 10, .holds),
            (28_790, 11, .lifetime),
            (28_790, 1800, .lifetime),
            (28_790, 1801, .idle),
            (28_801, 0, .lifetime),
        ] as [(Int64, Int64, Want)]
    )
    func `a binding holds within idle and lifetime, and idle is judged first`(
        renewed: Int64,
        opened: Int64,
        want: Want
    ) throws {
        var policy = try policy(self.settings)
        let text = try cookie(someBinding, now: morning + renewed, by: &policy)
        self.expect(open(text, now: morning + renewed + opened, by: &policy), want)
    }

    @Test(
        arguments: [
            (nil, nil, 20_000, Want.holds),
            (nil, 10, 10, .holds),
            (nil, 10, 11, .lifetime),
            (10, nil, 10, .holds),
            (10, nil, 11, .idle),
        ] as [(Int64?, Int64?, Int64, Want)]
    )
    func `days after days, whichever limit is off`(
        idle: Int64?,
        lifetime: Int64?,
        days: Int64,
        want: Want
    ) throws {
        let settings = try PersistenceSettings(
            idle: idle.map { .hours($0 * 24) },
            lifetime: lifetime.map { .hours($0 * 24) }
        )
        var policy = try policy(settings)
        let text = try cookie(someBinding, by: &policy)
        self.expect(open(text, now: morning + days * day, by: &policy), want)
    }

    @Test func `a forged old day is called expired and is not opened`() throws {
        var policy = try policy(self.settings)
        var bytes = try decoded(cookie(someBinding, by: &policy))
        bytes[5] = 0
        #expect(open(encoded(bytes), by: &policy) == .expiredIdle)
        var lasting = try BelayPersistenceTests.policy(PersistenceSettings(idle: nil))
        #expect(open(encoded(bytes), by: &lasting) == .expiredLifetime)
        var endless = try BelayPersistenceTests.policy(
            PersistenceSettings(idle: nil, lifetime: nil)
        )
        #expect(open(encoded(bytes), by: &endless) == .tampered)
    }

    /// Sealed and opened so many seconds after a midnight.
    @Test(arguments: [(-1, -1), (-1, 0), (-1, 1), (0, 0), (0, -1), (1, -1), (-60, 1700)])
    func `midnight passes unnoticed`(sealed: Int64, opened: Int64) throws {
        let midnight = UnixTime(seconds: morning.seconds / day * day)
        var sealer = try policy(self.settings)
        var opener = try policy(self.settings)
        let binding = Binding(
            serverID: someBinding.serverID,
            id: someBinding.id,
            issued: midnight + sealed,
            renewed: midnight + sealed
        )
        let text = try cookie(binding, now: midnight + sealed, by: &sealer)
        #expect(open(text, now: midnight + opened, by: &opener) == .binding(binding))
    }

    @Test func `each day has a sub-key of its own, as each cookie says`() throws {
        var policy = try policy(self.settings)
        let today = try decoded(cookie(someBinding, by: &policy))
        let tomorrow = try decoded(cookie(someBinding, now: morning + day, by: &policy))
        let number = UInt16(morning.seconds / day)
        #expect(Array(today[5..<7]) == [UInt8(number >> 8), UInt8(number & 255)])
        #expect(Array(tomorrow[5..<7]) == [UInt8((number + 1) >> 8), UInt8((number + 1) & 255)])
        // Today's seal under tomorrow's name does not open.
        let mixed = encoded(spliced(tomorrow, today))
        #expect(open(mixed, now: morning + day, by: &policy) == .tampered)
    }

    /// The sealer's clock is so many seconds ahead.
    @Test(
        arguments: [
            (1, Want.holds, false),
            (60, .holds, false),
            (61, .holds, true),
            (3600, .holds, true),
            (86_400, .holds, true),
            (172_800, .tampered, false),
            (34_560_000, .tampered, false),
        ] as [(Int64, Want, Bool)]
    )
    func `a cookie from the future holds until tomorrow, and is renewed if it is far ahead`(
        ahead: Int64,
        want: Want,
        wantsRenewal: Bool
    ) throws {
        var policy = try policy(self.settings)
        let binding = Binding(
            serverID: someBinding.serverID,
            id: someBinding.id,
            issued: morning + ahead,
            renewed: morning + ahead
        )
        let text = try cookie(binding, now: morning + ahead, by: &policy)
        let opening = open(text, by: &policy)
        self.expect(opening, want)
        guard let opened = opening.binding else { return }
        #expect(isDue(opened, by: &policy) == wantsRenewal)
        // Renewed, it has the right times.
        let renewed = try cookie(opened, by: &policy)
        let again = try #require(open(renewed, by: &policy).binding)
        #expect(again.issued == morning && again.renewed == morning)
        #expect(!isDue(again, by: &policy))
    }

    @Test(
        arguments: [
            (1800, 0, false), (1800, 449, false), (1800, 450, true), (1800, 1800, true),
            (1, 0, false), (1, 1, true), (nil, 1_000_000, false), (nil, 0, false),
        ] as [(Int64?, Int64, Bool)]
    )
    func `renewal is due after a quarter of the idle window, and never without one`(
        idle: Int64?,
        age: Int64,
        want: Bool
    ) throws {
        var policy = try policy(
            PersistenceSettings(idle: idle.map { .seconds($0) }, lifetime: nil)
        )
        #expect(isDue(someBinding, now: morning + age, by: &policy) == want)
    }

    @Test func `a part of a second counts as a whole one`() throws {
        var policy = try policy(PersistenceSettings(idle: .milliseconds(1500)))
        let text = try cookie(someBinding, by: &policy)
        #expect(open(text, now: morning + 2, by: &policy).binding != nil)
        #expect(open(text, now: morning + 3, by: &policy) == .expiredIdle)
    }

    @Test func `the last day of the format is not the end of the process`() throws {
        var policy = try policy(PersistenceSettings(idle: nil, lifetime: nil))
        let far = UnixTime(seconds: 400 * 366 * day)
        let text = try cookie(someBinding, now: far, by: &policy)
        #expect(open(text, now: far, by: &policy).binding != nil)
        let before = UnixTime(seconds: -5)
        let early = try cookie(someBinding, now: before, by: &policy)
        #expect(open(early, now: before, by: &policy).binding != nil)
    }
}
