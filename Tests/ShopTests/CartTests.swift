import Testing
import belay_shop

struct CartTests {
    @Test
    func `a cart adds up`() throws {
        let rope = try #require(Catalog.product("rope"))
        let sling = try #require(Catalog.product("sling"))
        var cart = Cart()
        cart.add(rope)
        cart.add(sling)
        cart.add(sling)
        #expect(cart.lines.map(\.quantity) == [1, 2])
        #expect(cart.count == 3)
        #expect(cart.cents == rope.cents + 2 * sling.cents)
        cart.remove(rope)
        #expect(cart.lines.map(\.product.id) == ["sling"])
    }

    @Test
    func `a cart refuses more than nine of a kind and less than none`() throws {
        let rope = try #require(Catalog.product("rope"))
        var cart = Cart()
        let isRemoved = cart.remove(rope)
        #expect(!isRemoved)
        let added = (0...Cart.eachMax).map { _ in cart.add(rope) }
        #expect(added == Array(repeating: true, count: Cart.eachMax) + [false])
        #expect(cart.count == Cart.eachMax)
    }

    @Test
    func `no two products share an id`() {
        #expect(Set(Catalog.products.map(\.id)).count == Catalog.products.count)
    }

    @Test(arguments: [(0, "€ 0.00"), (5, "€ 0.05"), (790, "€ 7.90"), (15_900, "€ 159.00")])
    func `a price has two decimals`(cents: Int, want: String) {
        #expect(price(cents) == want)
    }
}
