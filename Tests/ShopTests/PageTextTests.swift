import Testing
import belay_shop

struct PageTextTests {
    @Test(arguments: [
        ("plain €", "plain €"), ("<b>", "&lt;b&gt;"), ("a&b", "a&amp;b"),
        ("\"'", "&quot;&#39;"), ("", ""),
    ])
    func `what is interpolated is escaped`(text: String, want: String) {
        let html: HTML = "<p title=\"\(text)\">\(text)</p>"
        #expect(html.text == "<p title=\"\(want)\">\(want)</p>")
    }

    @Test
    func `markup, lists of it and numbers are taken as they are`() {
        let item: HTML = "<li>\(7)</li>"
        let list: HTML = "<ul>\(item)\([item, item])</ul>"
        #expect(list.text == "<ul><li>7</li><li>7</li><li>7</li></ul>")
    }

    @Test(arguments: [
        ("shop1", true), ("a", true), ("Shop-2", true), ("", false), ("shop 1", false),
        ("<b>", false), ("abcdefghijklmnopqrstuvwxy", false), ("shöp", false),
    ])
    func `a shop's name is letters, digits and dashes`(text: String, isName: Bool) {
        #expect((ShopName(text) != nil) == isName)
    }

    @Test(arguments: [
        ("shop1", "1", 0), ("shop2", "2", 1), ("shop9", "9", 0), ("shop12", "12", 1),
        ("north", "no", 5),
    ])
    func `a shop's name has a short form and a colour`(text: String, short: String, tone: Int) {
        #expect(ShopName(text)?.short == short)
        #expect(ShopName(text)?.tone == tone)
    }

    @Test
    func `the trail keeps the last twenty and drops what is no name`() throws {
        var trail = Trail(cookie: "shop1.<b>..shop2." + String(repeating: "x.", count: 18))
        #expect(trail.names.count == 20)
        #expect(trail.names.first?.rawValue == "shop1")
        trail.append(try #require(ShopName("shop3")))
        #expect(trail.names.count == 20)
        #expect(trail.names.first?.rawValue == "shop2")
        #expect(trail.cookie.hasSuffix("x.shop3"))
        #expect(Trail(cookie: nil).names.isEmpty)
    }
}
