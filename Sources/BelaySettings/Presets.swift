import BelayCore

// Presets: what the balancers of the clouds do, in Belay's own settings. Each is a case of one
// enum; `Documentation/presets.md` says where it differs from its model. Nothing behind the
// settings knows of presets.

/// A mode of a cloud's balancer.
enum Preset: UInt8, Sendable, CaseIterable {
    case awsALBDuration, awsALBApplication, awsNLBSourceIP
    case azureApplicationGateway
    case azureLoadBalancerNone, azureLoadBalancerSourceIP, azureLoadBalancerSourceIPProtocol
    case gcpGeneratedCookie, gcpHTTPCookie, gcpStrongCookie
    case gcpHeaderField
    case gcpClientIP, gcpClientIPProto, gcpClientIPPortProto

    /// As in a settings file.
    var spelled: String {
        switch self {
        case .awsALBDuration: "aws-alb-duration"
        case .awsALBApplication: "aws-alb-application"
        case .awsNLBSourceIP: "aws-nlb-source-ip"
        case .azureApplicationGateway: "azure-application-gateway"
        case .azureLoadBalancerNone: "azure-load-balancer-none"
        case .azureLoadBalancerSourceIP: "azure-load-balancer-source-ip"
        case .azureLoadBalancerSourceIPProtocol: "azure-load-balancer-source-ip-protocol"
        case .gcpGeneratedCookie: "gcp-generated-cookie"
        case .gcpHTTPCookie: "gcp-http-cookie"
        case .gcpStrongCookie: "gcp-strong-cookie"
        case .gcpHeaderField: "gcp-header-field"
        case .gcpClientIP: "gcp-client-ip"
        case .gcpClientIPProto: "gcp-client-ip-proto"
        case .gcpClientIPPortProto: "gcp-client-ip-port-proto"
        }
    }

    /// What the model can't do without, beside the name.
    var needs: [String] {
        switch self {
        case .awsALBApplication, .gcpHTTPCookie, .gcpStrongCookie: ["cookie"]
        case .gcpHeaderField: ["header"]
        case .awsALBDuration, .awsNLBSourceIP, .azureApplicationGateway, .azureLoadBalancerNone,
            .azureLoadBalancerSourceIP, .azureLoadBalancerSourceIPProtocol, .gcpGeneratedCookie,
            .gcpClientIP, .gcpClientIPProto, .gcpClientIPPortProto:
            []
        }
    }

    /// What the model may be told, beside that.
    var takes: [String] {
        switch self {
        case .awsALBDuration, .awsALBApplication: ["ttl"]
        case .gcpHTTPCookie, .gcpStrongCookie: ["path", "ttl"]
        case .gcpGeneratedCookie: ["cookie", "ttl"]
        case .azureApplicationGateway: ["cookie"]
        case .awsNLBSourceIP, .azureLoadBalancerNone, .azureLoadBalancerSourceIP,
            .azureLoadBalancerSourceIPProtocol, .gcpHeaderField, .gcpClientIP, .gcpClientIPProto,
            .gcpClientIPPortProto:
            []
        }
    }

    /// The longest `ttl` that the model knows.
    var ttlMax: TimeSpan {
        switch self {
        case .awsALBDuration, .awsALBApplication, .awsNLBSourceIP: .hours(24 * 7)
        case .azureApplicationGateway, .azureLoadBalancerNone, .azureLoadBalancerSourceIP,
            .azureLoadBalancerSourceIPProtocol, .gcpGeneratedCookie, .gcpHTTPCookie,
            .gcpStrongCookie, .gcpHeaderField, .gcpClientIP, .gcpClientIPProto,
            .gcpClientIPPortProto:
            .hours(24 * 14)
        }
    }
}

/// A preset with what it was told, as it stands in the file.
struct PresetChoice: Sendable {
    /// Nil until one is read.
    var name: Preset?
    /// Empty where it is left out, as the header and the path.
    var cookie = ""
    var header = ""
    var path = ""
    var ttl: TimeSpan?
}

extension PresetChoice {
    /// Puts what the preset stands for in the place of the ways and rules.
    func expand(into persistence: inout Settings.Persistence) {
        guard let name else { return }
        switch name {
        case .awsALBDuration:
            // The duration begins anew with each answer.
            persistence.ways = [.cookie(self.cookie("AWSALB", idle: self.ttl ?? .hours(24)))]
        case .awsALBApplication:
            persistence.ways = [.applicationCookie(Settings.ApplicationCookie(name: self.cookie))]
            persistence.idle = self.ttl ?? .hours(24)
            persistence.lifetime = nil
        case .awsNLBSourceIP:
            var address = Settings.BindingAddress()
            address.ipv6Prefix = 128
            persistence.ways = [.sourceAddress(address)]
            persistence.idle = nil
            persistence.lifetime = nil
        case .azureApplicationGateway:
            persistence.ways = [.cookie(self.cookie("ApplicationGatewayAffinity"))]
        case .azureLoadBalancerNone, .gcpClientIPPortProto: persistence.ways = [.tuple(.five)]
        case .azureLoadBalancerSourceIP, .gcpClientIP: persistence.ways = [.tuple(.two)]
        case .azureLoadBalancerSourceIPProtocol, .gcpClientIPProto:
            persistence.ways = [.tuple(.three)]
        case .gcpGeneratedCookie, .gcpHTTPCookie:
            persistence.ways = [.cookie(self.cookie("GCLB", lifetime: self.ttl))]
            // A hash of the cookie finds the server again that it found before.
            persistence.returning = .home
        case .gcpStrongCookie:
            persistence.ways = [.cookie(self.cookie("GCLB", lifetime: self.ttl))]
        case .gcpHeaderField:
            var header = Settings.BindingHeader(name: self.header)
            header.learn = false
            persistence.ways = [.header(header)]
            persistence.returning = .home
        }
    }

    /// Belay's cookie under the name that was given, or the model's.
    private func cookie(
        _ name: String,
        idle: TimeSpan? = nil,
        lifetime: TimeSpan? = nil
    ) -> Settings.BindingCookie {
        var cookie = Settings.BindingCookie()
        cookie.name = self.cookie.isEmpty ? name : self.cookie
        if !self.path.isEmpty { cookie.path = self.path }
        cookie.idle = idle
        cookie.lifetime = lifetime
        cookie.keep = idle == nil && lifetime == nil ? .session : .binding
        return cookie
    }
}

extension Declaration {
    static let preset = Section(
        doc: "May also be the name alone, where it needs no more.",
        defaults: { PresetChoice() },
        fields: [
            Field(
                "name",
                \.name,
                Scalar.presetName.form,
                isRequired: true,
                doc: "The cloud's mode. `Documentation/presets.md` says what each stands for."
            ),
            Field(
                "cookie",
                \.cookie,
                Scalar.cookieName.orMissing.form,
                doc: "The name of the cookie."
            ),
            Field(
                "header",
                \.header,
                Scalar.headerName.orMissing.form,
                doc: "The name of the field, for `gcp-header-field`."
            ),
            Field(
                "path",
                \.path,
                Scalar.cookiePath.orMissing.form,
                doc: "The path of the cookie."
            ),
            Field(
                "ttl",
                \.ttl,
                Scalar.duration(.seconds(1) ... .hours(24 * 14)).optional.form,
                doc: """
                    How long the cloud's cookie lasts. Left out: as there, a day (AWS) or until \
                    the browser is closed (Google).
                    """
            ),
        ],
        finish: checkPreset
    )
}

/// What the preset is told: all that it needs and no more than it takes.
private func checkPreset(_ choice: inout PresetChoice, _ tree: Tree, _ reader: inout Reader) {
    guard let preset = choice.name else { return }
    let path = reader.path
    for key in ["cookie", "header", "path", "ttl"] {
        let place = reader.place("\(path)/\(key)")
        let isNeeded = preset.needs.contains(key)
        if isNeeded, place == nil {
            let example = "{ name: \(preset.spelled), \(key): NAME }"
            let text = "the preset \(preset.spelled) needs \(quoted(key)), as in \(example)"
            reader.report(text, at: reader.place(path + "/name") ?? tree.position)
        }
        if !isNeeded, !preset.takes.contains(key), let place {
            let keys = (preset.needs + preset.takes).map(quoted)
            let hint = keys.isEmpty ? "and nothing else" : "only " + keys.joined(separator: " and ")
            let text = "the preset \(preset.spelled) takes no \(quoted(key)), \(hint)"
            reader.report(text, at: place)
        }
    }
    if let ttl = choice.ttl, ttl > preset.ttlMax, preset.takes.contains("ttl") {
        let text =
            "\(reader.subject(of: "ttl")): \(preset.spelled) has \(preset.ttlMax.spelled) at most"
        reader.report("\(text), not \(ttl.spelled)", at: reader.place(path + "/ttl"))
    }
}

extension Scalar where Value == Preset? {
    /// The name of a preset.
    static let presetName = Scalar<Preset>.choice(Preset.allCases.map { ($0.spelled, $0) }).optional
}
