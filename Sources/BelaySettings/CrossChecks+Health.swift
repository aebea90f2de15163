import BelayCore

// What checks and ejection ask of their settings.

/// The settings that go with the kind of check, which follows from them where it is left out.
func checkHealth(_ health: inout Settings.Health, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path
    let isGiven = reader.place(path + "/check") != nil
    if !isGiven, reader.place(path + "/path") != nil {
        health.check = .http
    } else if !isGiven, reader.place(path + "/service") != nil {
        health.check = .grpc
    }
    if reader.isFree(path + "/check") {
        for (key, kinds) in checkKeys where !kinds.contains(health.check) {
            guard let place = reader.place("\(path)/\(key)") else { continue }
            let wanted = kinds.map { "\($0)" }.alternatives
            var text = "\(reader.subject): \(quoted(key)) is for checks by \(wanted), and this one "
            text += "is by \(health.check)"
            if !isGiven { text += "; add \"check: \(kinds[0])\"" }
            reader.report(text, at: place)
        }
    }
    if health.check == .http, health.method == "HEAD", let place = reader.place(path + "/body") {
        reader.report("\(reader.subject): answers to HEAD have no body", at: place)
    }
    let keys = ("\(path)/fast-interval", "\(path)/interval")
    if let fast = health.fastInterval, fast > health.interval, reader.isFree(keys.0),
        reader.isFree(keys.1)
    {
        let times = "(\(fast.spelled)) is longer than interval (\(health.interval.spelled))"
        let text = "\(reader.subject): fast-interval \(times)"
        reader.report(text, at: reader.place(keys.0, keys.1) ?? tree.position)
    }
}

/// The keys that not every kind of check has.
private let checkKeys: [(key: String, kinds: [Settings.HealthCheck])] = [
    ("path", [.http]), ("host", [.http, .grpc, .tls]), ("method", [.http]), ("statuses", [.http]),
    ("body", [.http]), ("service", [.grpc]), ("agent-header", [.http]),
]

/// Times that fit, and nothing that compares where nothing is compared.
func checkFailures(_ failures: inout Settings.Failures, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path
    let (eject, ejectMax) = (path + "/eject", path + "/eject-max")
    if failures.eject > failures.ejectMax, reader.isFree(eject), reader.isFree(ejectMax) {
        let place = reader.place(eject, ejectMax)
        let times = "(\(failures.eject.spelled)) is longer than eject-max"
        let text = "\(reader.subject): eject \(times) (\(failures.ejectMax.spelled))"
        reader.report(text, at: place ?? tree.position)
    }
    guard failures.errorRate == nil, failures.latency == nil, reader.isFree(path + "/error-rate"),
        reader.isFree(path + "/latency")
    else { return }
    for key in ["interval", "requests-min"] {
        guard let place = reader.place("\(path)/\(key)") else { continue }
        let text = "\(reader.subject): \(quoted(key)) is for \"error-rate\" and \"latency\""
        reader.report(text + ", and both are off", at: place)
    }
}
