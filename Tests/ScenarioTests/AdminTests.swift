import Foundation
import Testing

extension Scenarios {
    @Suite(.serialized) struct AdminTests {
        @Test func `metrics are a page that Prometheus reads`() throws {
            try Scenario.run { scenario in
                let belay = try scenario.belay([try scenario.server("a")])
                #expect(try belay.ask("/").status == 200)
                let page = try belay.adminPage("/metrics")
                #expect(page["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
                let metrics = Metrics(page.text)
                #expect(metrics.strange.isEmpty)
                #expect(metrics["belay_exchanges_total{ending=\"done\"}"] == 1)
                for (sample, _) in metrics.samples {
                    let name = String(sample.prefix { $0 != "{" })
                    let family = ["_bucket", "_sum", "_count"].reduce(name) { name, suffix in
                        name.hasSuffix(suffix) && metrics.types[name] == nil
                            ? String(name.dropLast(suffix.count)) : name
                    }
                    #expect(metrics.types[family] != nil, "no type for \(sample)")
                    #expect(metrics.helps.contains(family), "no help for \(sample)")
                }
            }
        }
    }
}
