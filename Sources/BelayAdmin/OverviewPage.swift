import BelayCore

/// The page at `/`: links, and the state of the server pools. Made on the server, without scripts
/// and without anything from elsewhere; reads itself again every five seconds.
struct OverviewPage {
    let readiness: Readiness
    let pools: [PoolReport]

    var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="refresh" content="5">
        <title>Belay</title>
        <link rel="stylesheet" href="/style.css">
        </head>
        <body>
        <header>
        <h1>Belay</h1>
        \(self.banner)
        </header>
        <main>
        \(self.pools.map(section).joined(separator: "\n"))
        </main>
        <footer>
        <nav>
        <a href="/metrics">metrics</a>
        <a href="/healthz">health</a>
        <a href="/readyz">readiness</a>
        <a href="/api/pools">pools as JSON</a>
        <a href="/api/explain?host=localhost&amp;path=/">explain a decision</a>
        </nav>
        </footer>
        </body>
        </html>

        """
    }

    private var banner: String {
        if self.readiness.ready { return "<p class=\"chip good\">ready</p>" }
        let reasons = self.readiness.reasons.map { "<li>\(escaped($0))</li>" }.joined()
        return "<p class=\"chip bad\">not ready</p><ul class=\"reasons\">\(reasons)</ul>"
    }

    private func section(_ pool: PoolReport) -> String {
        let rows = pool.servers.map(row).joined(separator: "\n")
        return """
            <section>
            <h2>\(escaped(pool.name)) <small>\(escaped(pool.algorithm))</small></h2>
            <div class="wide">
            <table>
            <thead><tr><th>server</th><th>address</th><th>state</th><th>health</th>\
            <th class="number">weight</th><th class="number">bound</th>\
            <th class="number">open</th>\
            <th class="number">exchanges</th><th class="number">failures</th>\
            <th class="number">latency</th></tr></thead>
            <tbody>
            \(rows)
            </tbody>
            </table>
            </div>
            </section>
            """
    }

    private func row(_ server: ServerReport) -> String {
        let latency = server.latencyMs.map { "\(rounded($0)) ms" } ?? "–"
        return """
            <tr><th scope="row">\(escaped(server.name))</th>\
            <td class="address">\(escaped(server.address))</td>\
            <td>\(self.state(server))</td><td>\(self.health(server))</td>\
            <td class="number">\(server.weight)</td><td class="number">\(server.bound)</td>\
            <td class="number">\(server.openRequests)</td>\
            <td class="number">\(server.exchanges)</td><td class="number">\(server.failures)</td>\
            <td class="number">\(latency)</td></tr>
            """
    }

    private func state(_ server: ServerReport) -> String {
        let isReady = server.state == "\(AdminState.ready.name)"
        let state = chip(server.state, isReady ? "good" : "warn")
        guard let drain = server.drain else { return state }
        return state + " <small>\(escaped(self.progress(drain)))</small>"
    }

    /// How far a drain is, in a few words.
    private func progress(_ drain: DrainReport) -> String {
        switch DrainPhase(rawValue: drain.phase) {
        case .paused: return drain.left + ", paused"
        case .empty: return "empty"
        case .over: return "over"
        case .running, nil: return drain.left
        }
    }

    private func health(_ server: ServerReport) -> String {
        if let seconds = server.ejectedForSeconds {
            return chip("\(server.health) for \(rounded(seconds)) s", "bad")
        }
        let checked = self.problem(server)
        switch server.health {
        case "up": return chip(server.health, "good") + checked
        case "starting", "stalled": return chip(server.health, "warn") + checked
        default: return chip(server.health, "bad") + checked
        }
    }

    /// What the last check has found to be wrong.
    private func problem(_ server: ServerReport) -> String {
        guard let check = server.check, !check.good else { return "" }
        return " <small>\(escaped(check.reason ?? "bad"))</small>"
    }

    static let style = """
        :root { color-scheme: light dark; --ink: #1d2733; --soft: #667385; --line: #dfe5ec;
          --paper: #f5f7fa; --card: #fff; --good: #12744a; --good-back: #dcf3e7;
          --bad: #a32626; --bad-back: #fbe1e1; --warn: #8a5a00; --warn-back: #fdefd0; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #93a1b2;
          --line: #2c3642; --paper: #12171d; --card: #1a2129; --good: #6fdca9;
          --good-back: #12392a; --bad: #ff9c9c; --bad-back: #441c1c; --warn: #f5c767;
          --warn-back: #40300c; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem; background: var(--paper);
          color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
        header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1rem; }
        h1 { margin: 0; font-size: 1.75rem; letter-spacing: -.02em; }
        h2 { margin: 0 0 .75rem; font-size: 1.15rem; }
        h2 small { margin-left: .5rem; color: var(--soft); font-size: .85rem; font-weight: 400; }
        section { margin: 1.5rem 0; padding: 1.25rem; background: var(--card);
          border: 1px solid var(--line); border-radius: 12px; }
        .wide { overflow-x: auto; }
        table { width: 100%; border-collapse: collapse; font-size: .92rem; white-space: nowrap; }
        th, td { padding: .45rem .75rem .45rem 0; text-align: left;
          border-bottom: 1px solid var(--line); }
        tbody tr:last-child > * { border-bottom: 0; }
        td small { margin-left: .35rem; color: var(--soft); }
        thead th { color: var(--soft); font-weight: 500; }
        .number { text-align: right; font-variant-numeric: tabular-nums; }
        .address { color: var(--soft); font-family: ui-monospace, monospace; font-size: .85rem; }
        .chip { display: inline-block; margin: 0; padding: 0 .6rem; border-radius: 1rem;
          font-size: .85rem; }
        .good { color: var(--good); background: var(--good-back); }
        .bad { color: var(--bad); background: var(--bad-back); }
        .warn { color: var(--warn); background: var(--warn-back); }
        .reasons { flex-basis: 100%; margin: .5rem 0 0; color: var(--bad); }
        nav { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; }
        a { color: inherit; text-underline-offset: .2em; }

        """
}

private func chip(_ text: String, _ kind: String) -> String {
    "<span class=\"chip \(kind)\">\(escaped(text))</span>"
}

/// One decimal.
private func rounded(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

/// Text for HTML, within elements and quoted attributes.
private func escaped(_ text: String) -> String {
    var safe = ""
    for character in text.unicodeScalars {
        switch character {
        case "&": safe += "&amp;"
        case "<": safe += "&lt;"
        case ">": safe += "&gt;"
        case "\"": safe += "&quot;"
        case "'": safe += "&#39;"
        default: safe.unicodeScalars.append(character)
        }
    }
    return safe
}
