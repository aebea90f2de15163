/// What a visitor wants to buy. It holds a product at most `eachMax` times, and only what the
/// catalog has, so its size is bounded.
package struct Cart: Sendable {
    // Limit: nine of a kind fit a climber's van.
    package static let eachMax = 9

    /// One product and how often.
    package struct Line: Sendable {
        package let product: Product
        package fileprivate(set) var quantity: Int

        package var cents: Int { self.product.cents * self.quantity }
    }

    /// In the order in which they were first added; none has quantity 0.
    package private(set) var lines: [Line] = []

    package init() {}

    package var count: Int { self.lines.reduce(0) { $0 + $1.quantity } }
    package var cents: Int { self.lines.reduce(0) { $0 + $1.cents } }

    /// False, and nothing changes, where the cart already holds as many as it may.
    @discardableResult
    package mutating func add(_ product: Product) -> Bool {
        guard let index = self.lines.firstIndex(where: { $0.product.id == product.id }) else {
            self.lines.append(Line(product: product, quantity: 1))
            return true
        }
        guard self.lines[index].quantity < Cart.eachMax else { return false }
        self.lines[index].quantity += 1
        return true
    }

    /// Takes one of them out. False where there is none.
    @discardableResult
    package mutating func remove(_ product: Product) -> Bool {
        guard let index = self.lines.firstIndex(where: { $0.product.id == product.id }) else {
            return false
        }
        self.lines[index].quantity -= 1
        if self.lines[index].quantity == 0 {
            self.lines.remove(at: index)
        }
        return true
    }
}
