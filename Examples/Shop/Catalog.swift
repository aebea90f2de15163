/// Something that the shop sells.
package struct Product: Sendable {
    /// What forms and the JSON call it.
    package let id: String
    package let name: String
    package let detail: String
    /// The price of one, in euro cents.
    package let cents: Int
    package let drawing: HTML
}

/// What the shop sells. All of it is invented.
package enum Catalog {
    package static let products: [Product] = [
        Product(
            id: "rope",
            name: "Single rope, 60 m",
            detail: "9.6 mm, dry treated, a mark at the middle.",
            cents: 15_900,
            drawing: Drawings.rope
        ),
        Product(
            id: "belay-device",
            name: "Belay device",
            detail: "A tube for ropes of 8.5 to 10.5 mm. It holds.",
            cents: 2_490,
            drawing: Drawings.belayDevice
        ),
        Product(
            id: "carabiner",
            name: "HMS carabiner",
            detail: "Pear shaped, screw gate, 23 kN.",
            cents: 1_350,
            drawing: Drawings.carabiner
        ),
        Product(
            id: "quickdraw",
            name: "Quickdraw, 12 cm",
            detail: "Two light carabiners on a sturdy sling.",
            cents: 1_690,
            drawing: Drawings.quickdraw
        ),
        Product(
            id: "harness",
            name: "Harness",
            detail: "Padded, four gear loops, for long days.",
            cents: 6_450,
            drawing: Drawings.harness
        ),
        Product(
            id: "helmet",
            name: "Helmet",
            detail: "245 g, well aired, fits with one hand.",
            cents: 5_900,
            drawing: Drawings.helmet
        ),
        Product(
            id: "shoes",
            name: "Climbing shoes",
            detail: "Flat sole, two straps, kind to toes.",
            cents: 8_990,
            drawing: Drawings.shoe
        ),
        Product(
            id: "chalk",
            name: "Chalk bag",
            detail: "Soft rim, brush loop, a belt of its own.",
            cents: 1_980,
            drawing: Drawings.chalk
        ),
        Product(
            id: "sling",
            name: "Sling, 120 cm",
            detail: "11 mm, sewn, for anchors and long threads.",
            cents: 790,
            drawing: Drawings.sling
        ),
    ]

    /// Nil for what the shop does not sell.
    package static func product(_ id: String) -> Product? {
        self.products.first { $0.id == id }
    }
}

/// Euro cents as people write them: `15900` is `€ 159.00`.
package func price(_ cents: Int) -> String {
    let rest = cents % 100
    return "€ \(cents / 100).\(rest < 10 ? "0" : "")\(rest)"
}
