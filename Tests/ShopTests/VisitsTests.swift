import Testing
import belay_shop

struct VisitsTests {
    @Test
    func `a visitor who comes back finds the cart`() throws {
        var visits = Visits(countMax: 4)
        var random = Sequence()
        let rope = try #require(Catalog.product("rope"))
        let first = visits.visit(nil, last: nil, random: &random) { visit in
            visit.cart.add(rope)
            return visit.arrival
        }
        let second = visits.visit(first.id, last: nil, random: &random) { $0.cart.count }
        #expect(first.result == .new)
        #expect(second.id == first.id)
        #expect(second.result == 1)
        #expect(visits.count == 1)
    }

    @Test
    func `a session of another server gets a new id and an empty cart`() throws {
        var visits = Visits(countMax: 4)
        var random = Sequence()
        let foreign = try #require(VisitID("00000000000000ff00000000000000ff"))
        let last = ShopName("shop2")
        let visit = visits.visit(foreign, last: last, random: &random) { visit in
            (visit.arrival, visit.cart.count)
        }
        #expect(visit.id != foreign)
        #expect(visit.result.0 == .lost(last: last))
        #expect(visit.result.1 == 0)
    }

    @Test
    func `at the limit those unseen longest are forgotten`() {
        var visits = Visits(countMax: 4)
        var random = Sequence()
        let ids = (0..<4).map { _ in visits.visit(nil, last: nil, random: &random) { _ in }.id }
        _ = visits.visit(ids[0], last: nil, random: &random) { _ in }
        _ = visits.visit(nil, last: nil, random: &random) { _ in }
        #expect(visits.count == 4)
        let arrivals = ids.prefix(2).map { id in
            visits.visit(id, last: nil, random: &random) { $0.arrival }.result
        }
        #expect(arrivals == [.new, .lost(last: nil)])
    }

    @Test(arguments: [
        ("00000000000000ff00000000000000fe", true), ("", false), ("ff", false),
        ("00000000000000FF00000000000000fe", false), ("+0000000000000ff00000000000000fe", false),
        ("00000000000000ff00000000000000fe0", false), ("<script>00000000000000000000000>", false),
    ])
    func `a session id is read only as it was written`(text: String, isID: Bool) {
        #expect((VisitID(text) != nil) == isID)
        #expect(!isID || VisitID(text)?.text == text)
    }
}

/// Counts instead of throwing dice.
private struct Sequence: RandomNumberGenerator {
    var value: UInt64 = 0

    mutating func next() -> UInt64 {
        self.value += 1
        return self.value
    }
}
