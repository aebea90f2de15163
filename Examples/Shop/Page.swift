import FoundationEssentials

/// The shop's one page, as one visitor gets it. What changes from answer to answer stands in
/// elements marked `data-live`: the script replaces those by the next answer's.
struct Page {
    let answer: Answer
    /// Admits this page's own style and script, and none that found a way in.
    let nonce: String

    var html: HTML {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        \(self.title)
        <link rel="icon" href="data:,">
        <style nonce="\(self.nonce)">\(Style.css)</style>
        </head>
        <body>
        \(self.header)
        <main>
        \(self.notice)
        <div class="columns">
        <section class="shelf" aria-label="Products">\(Catalog.products.map(self.card))</section>
        \(self.cart)
        \(self.lab)
        </div>
        </main>
        <footer>Ledge &amp; Line is invented, and so is all that it sells. It is the demo shop of
        Belay, a load balancer that keeps sessions.</footer>
        <script nonce="\(self.nonce)">\(Script.javaScript)</script>
        </body>
        </html>

        """
    }

    /// Only what changes.
    var parts: HTML {
        "\(self.title)\(self.server)\(self.notice)\(self.cart)\(self.trail)\(self.stop)"
    }

    private var title: HTML { "<title>Ledge &amp; Line · \(self.shop)</title>" }

    private var shop: String { self.answer.shop.rawValue }
    private var view: ShopMemory.View { self.answer.view }

    private var header: HTML {
        """
        <header>\(Drawings.mountains)
        <div class="brand"><h1>Ledge &amp; Line</h1>
        <p>Climbing gear. Three servers sell it.</p></div>
        \(self.server)
        </header>
        """
    }

    private var server: HTML {
        """
        <section id="server" data-live class="server tone\(self.answer.shop.tone)" \
        aria-label="The server that answered">
        <p class="who"><span class="dot"></span><strong>\(self.shop)</strong> answered you</p>
        <dl>
        <div><dt>In its memory</dt><dd>\(count(self.view.visitors, "session"))</dd></div>
        <div><dt>Your cart there</dt><dd>\(count(self.view.cart.count, "item"))</dd></div>
        <div><dt>Running for</dt><dd><time datetime="\(self.answer.startedAt.formatted(.iso8601))" \
        title="since \(self.answer.startedAt.formatted(.iso8601))">\
        \(duration(self.answer.secondsUp))</time></dd></div>
        <div><dt>Answers given</dt><dd>\(self.view.answers)</dd></div>
        </dl>
        </section>
        """
    }

    private var notice: HTML {
        guard let notice = Notice(self.answer) else {
            return """
                <div id="notice" data-live role="status"></div>
                """
        }
        return """
            <div id="notice" data-live role="status" class="\(notice.kind.rawValue)">\
            <p><strong>\(notice.title)</strong> \(notice.text)</p></div>
            """
    }

    private func card(_ product: Product) -> HTML {
        """
        <article><div class="picture">\(product.drawing)</div>
        <h2>\(product.name)</h2><p>\(product.detail)</p>
        <form method="post" action="/cart/add">
        <input type="hidden" name="product" value="\(product.id)">
        <span class="price">\(price(product.cents))</span>
        <button aria-label="Add \(product.name) to the cart">Add</button></form></article>
        """
    }

    private var cart: HTML {
        let cart = self.view.cart
        let lines: HTML =
            cart.lines.isEmpty
            ? """
            <p class="empty">Nothing yet. Add something, and \(self.shop) will remember it.</p>
            """
            : """
            <ul>\(cart.lines.map(self.line))</ul>
            <p class="total"><span>Total</span><strong>\(price(cart.cents))</strong></p>
            """
        return """
            <aside id="cart" data-live class="panel tone\(self.answer.shop.tone)" aria-label="Cart">
            <h2>Your cart <span class="badge">\(cart.count)</span></h2>
            <p class="where">kept in the memory of <strong>\(self.shop)</strong> and nowhere else
            </p>
            \(lines)</aside>
            """
    }

    private func line(_ line: Cart.Line) -> HTML {
        let id = line.product.id
        return """
            <li><span class="thumb">\(line.product.drawing)</span>
            <span class="name">\(line.product.name)<small>\(price(line.cents))</small></span>
            <span class="step">
            <form method="post" action="/cart/remove"><input type="hidden" name="product" \
            value="\(id)"><button id="less-\(id)" aria-label="One \(line.product.name) less">−\
            </button></form>
            <output>\(line.quantity)</output>
            <form method="post" action="/cart/add"><input type="hidden" name="product" \
            value="\(id)"><button id="more-\(id)" aria-label="One \(line.product.name) more"\
            \(line.quantity < Cart.eachMax ? "" : " disabled")>+</button></form>
            </span></li>
            """
    }
}

// What a visitor can try.
extension Page {
    private var lab: HTML {
        """
        <div class="lab">
        \(self.trail)
        <section class="panel" id="newcomers">
        <h2>How newcomers spread</h2>
        <p>Sends 20 requests without your cookies. Nobody knows them, so each goes where the \
        balancer likes.</p>
        <ol class="chips" id="newcomer-chips">\
        \(Array(repeating: "<li></li>", count: Trail.namesMax))</ol>
        <p class="act"><button type="button" id="send-newcomers" hidden>Send 20 newcomers</button>\
        <span id="newcomer-sum" role="status"></span></p>
        <noscript><p>Without JavaScript, try <code>curl</code> on <code>/whoami</code> a few \
        times.</p></noscript>
        </section>
        \(self.stop)
        </div>
        """
    }

    private var trail: HTML {
        let names = self.answer.trail.names
        return """
            <section id="trail" data-live class="panel">
            <h2>Who answered you last</h2>
            <p>Your last \(Trail.namesMax) answers, the latest at the end. With persistence you \
            come back to the server that keeps your cart.</p>
            <ol class="chips">\(names.map(chip))\
            \(Array(repeating: "<li></li>", count: Trail.namesMax - names.count))</ol>
            <p class="act"><a class="button" id="ask" href="/">Ask again</a></p>
            </section>
            """
    }

    private var stop: HTML {
        """
        <section id="stop" data-live class="panel tone\(self.answer.shop.tone)">
        <h2>What if it dies?</h2>
        <p>This ends the process of <strong>\(self.shop)</strong> at once, as a crash would. \
        Its memory goes with it. See who answers next, and what is left.</p>
        <form method="post" action="/stop" class="act"><button class="danger" id="stop-button">\
        Stop \(self.shop)</button></form>
        </section>
        """
    }
}

private func chip(_ name: ShopName) -> HTML {
    """
    <li class="tone\(name.tone)" title="\(name.rawValue)">\(name.short)</li>
    """
}

/// `1 item`, `2 items`.
private func count(_ number: Int, _ thing: String) -> String {
    "\(number) \(thing)\(number == 1 ? "" : "s")"
}

/// `42 s`, `3 min 5 s`, `2 h 7 min`.
private func duration(_ seconds: Int) -> String {
    switch seconds {
    case ..<60: "\(seconds) s"
    case ..<3600: "\(seconds / 60) min \(seconds % 60) s"
    default: "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
