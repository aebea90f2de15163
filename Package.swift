// swift-tools-version: 6.3
import PackageDescription

// One room of the house a target; an arrow that is not written here does not build
// (`make build` checks the imports against these lines).

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    // Functions of ours that return a Span say what it borrows from.
    .enableExperimentalFeature("Lifetimes"),
    // The hot rooms call each other for every request.
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

func room(
    _ name: String,
    _ dependencies: [Target.Dependency] = [],
    path: String? = nil
) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func tests(_ room: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: room + "Tests",
        dependencies: [.target(name: room)] + dependencies,
        swiftSettings: settings
    )
}

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let arguments = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "belay",
    products: [
        .executable(name: "belay", targets: ["belay"]),
        .executable(name: "belay-shop", targets: ["belay-shop"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    ],
    targets: [
        // The system's libraries.
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CNGHTTP2",
            pkgConfig: "libnghttp2",
            providers: [.apt(["libnghttp2-dev"])]
        ),
        .target(name: "CBelay", linkerSettings: [.linkedLibrary("resolv")]),

        // The rooms, lowest first.
        room("BelayCore"),
        room("BelayBytes"),
        room("BelayCrypto", ["COpenSSL", "BelayBytes"]),
        room("BelaySettings", ["BelayCore", yams]),
        room("BelayHTTP", ["BelayCore", "BelayBytes"]),
        room("BelayHTTP2", ["BelayCore", "BelayBytes", "BelayHTTP", "CNGHTTP2"]),
        room(
            "BelayTransport",
            ["BelayCore", "BelayBytes", "BelayCrypto", "CBelay", "COpenSSL"]
        ),
        room("BelayTelemetry", ["BelayCore", "BelayBytes"]),
        room("BelayBalancing", ["BelayCore", "BelayBytes"]),
        room("BelayPersistence", ["BelayCore", "BelayBytes", "BelayCrypto"]),
        room(
            "BelayProxy",
            [
                "BelayCore", "BelayBytes", "BelayCrypto", "BelayHTTP", "BelayHTTP2",
                "BelayTransport", "BelayTelemetry", "BelayBalancing", "BelayPersistence",
            ]
        ),
        room(
            "BelayAdmin",
            ["BelayCore", "BelayTelemetry", hummingbird, nioCore, nioPosix, logging]
        ),
        room(
            "BelayRuntime",
            [
                "BelayCore", "BelayBytes", "BelayCrypto", "BelayHTTP", "BelayTransport",
                "BelayTelemetry", "BelayBalancing", "BelayPersistence", "BelayProxy",
                "BelayAdmin", "BelaySettings", logging,
            ]
        ),
        .executableTarget(
            name: "belay",
            dependencies: ["BelayCore", "BelaySettings", "BelayAdmin", "BelayRuntime", arguments],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "belay-shop",
            dependencies: [hummingbird, arguments, logging],
            path: "Examples/Shop",
            swiftSettings: settings
        ),

        // What stands beside the house.
        room("BelayTestSupport", ["BelayCore", "BelayBytes", "BelayBalancing"]),
        .target(name: "CTestPrograms", path: "Tests/CTestPrograms"),
        room("TestPrograms", ["CTestPrograms"], path: "Tests/TestPrograms"),
        .executableTarget(
            name: "table-limits",
            dependencies: ["BelayCore", "BelayBytes", "BelayPersistence"],
            path: "Benchmarks/limits/Table",
            swiftSettings: settings
        ),

        // The rooms' tests.
        .testTarget(
            name: "CommandLineTests",
            dependencies: ["belay", "BelayCore", "BelaySettings", "BelayAdmin", arguments],
            swiftSettings: settings
        ),
        .testTarget(name: "ShopTests", dependencies: ["belay-shop"], swiftSettings: settings),
        .testTarget(
            name: "ScenarioTests",
            dependencies: ["belay", "TestPrograms"],
            swiftSettings: settings
        ),
        tests("TestPrograms"),
        tests("BelayBytes", ["BelayCore"]),
        tests("BelayCore"),
        tests("BelaySettings", ["BelayCore"]),
        tests("BelayHTTP", ["BelayCore", "BelayBytes"]),
        tests("BelayHTTP2", ["BelayCore", "BelayBytes", "BelayHTTP"]),
        tests("BelayCrypto", ["BelayBytes"]),
        tests("BelayTelemetry", ["BelayCore", "BelayBytes"]),
        tests("BelayAdmin", ["BelayCore", nioCore, nioPosix, logging]),
        tests("BelayBalancing", ["BelayCore", "BelayTestSupport"]),
        .testTarget(
            name: "BelayPersistenceTests",
            dependencies: [
                "BelayPersistence", "BelayCore", "BelayBytes", "BelayCrypto", "TestPrograms",
                "table-limits",
            ],
            swiftSettings: settings
        ),
        tests("BelayTransport", ["BelayCore", "BelayBytes", "BelayCrypto", "TestPrograms"]),
        .testTarget(
            name: "BelayRuntimeTests",
            dependencies: [
                "BelayRuntime", "BelayCore", "BelayBytes", "BelayHTTP", "BelayTransport",
                "BelayTelemetry", "BelayBalancing", "BelayPersistence", "BelayProxy",
                "BelaySettings", logging,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BelayProxyTests",
            dependencies: [
                "BelayProxy", "BelayCore", "BelayBytes", "BelayCrypto", "BelayHTTP", "BelayHTTP2",
                "BelayTransport", "BelayTelemetry", "BelayBalancing", "BelayPersistence",
                "TestPrograms",
            ],
            swiftSettings: settings
        ),
    ]
)

// The fuzz targets, one for each parser, need nothing but the low rooms: `Fuzz/run` builds those
// alone, with the sanitizer, in a folder of their own.
if Context.environment["BELAY_FUZZ"] != nil {
    func fuzzer(_ name: String, _ folder: String, _ rooms: [Target.Dependency]) -> Target {
        .executableTarget(
            name: "fuzz-" + name,
            dependencies: ["FuzzSupport"] + rooms,
            path: "Fuzz/" + folder,
            // libFuzzer brings its own main.
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        )
    }
    let rooms = [
        "CNGHTTP2", "COpenSSL", "BelayCore", "BelayBytes", "BelayCrypto", "BelayHTTP",
        "BelayHTTP2", "BelayPersistence",
    ]
    let ways: [Target.Dependency] = ["BelayCore", "BelayBytes", "BelayCrypto", "BelayPersistence"]
    package.products = []
    package.dependencies = []
    package.targets =
        package.targets.filter { rooms.contains($0.name) } + [
            room("FuzzSupport", ["BelayHTTP"], path: "Fuzz/Support"),
            fuzzer("body", "Body", ["BelayBytes", "BelayHTTP"]),
            fuzzer("client-hello", "ClientHello", ["BelayHTTP"]),
            fuzzer("cookies", "Cookies", ["BelayBytes", "BelayCore", "BelayHTTP"]),
            fuzzer("forwarded", "Forwarded", ["BelayBytes", "BelayCore", "BelayHTTP"]),
            fuzzer("http2", "HTTP2", ["BelayBytes", "BelayCore", "BelayHTTP", "BelayHTTP2"]),
            fuzzer("jwt", "JWT", ways),
            fuzzer("proxy-header", "ProxyHeader", ["BelayBytes", "BelayCore", "BelayHTTP"]),
            fuzzer("query", "Query", ways),
            fuzzer("request-head", "RequestHead", ["BelayBytes", "BelayCore", "BelayHTTP"]),
            fuzzer("response-head", "ResponseHead", ["BelayBytes", "BelayHTTP"]),
            fuzzer("server-hello", "ServerHello", ["BelayHTTP"]),
            fuzzer("set-cookie", "SetCookie", ["BelayBytes", "BelayCore", "BelayHTTP"]),
            fuzzer("web-socket", "WebSocket", ["BelayBytes", "BelayHTTP"]),
        ]
}
