// swift-tools-version: 6.2
import PackageDescription

/// Whether to build the fuzzers, see Tests/Fuzzers/run.
let isFuzzing = Context.environment["CULVERT_FUZZERS"] == "1"

/// Settings every Swift target shares; warnings are errors, exclusivity is checked in debug builds only.
let houseSettings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
        .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
    ]
    // The coverage counters that lead a fuzzer.
    + (isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])

func product(_ name: String, _ package: String) -> Target.Dependency {
    .product(name: name, package: package)
}
func nio(_ name: String) -> Target.Dependency { product(name, "swift-nio") }

let arguments = product("ArgumentParser", "swift-argument-parser")
let asn1 = product("SwiftASN1", "swift-asn1")
let certificates = product("X509", "swift-certificates")
let crypto = product("Crypto", "swift-crypto")
let deque = product("DequeModule", "swift-collections")
let http2 = product("NIOHTTP2", "swift-nio-http2")
let database = product("GRDB", "GRDB.swift")
let heap = product("HeapModule", "swift-collections")
let httpClient = product("AsyncHTTPClient", "async-http-client")
let hpack = product("NIOHPACK", "swift-nio-http2")
let httpTypes = product("HTTPTypes", "swift-http-types")
let hummingbird = product("Hummingbird", "hummingbird")
let logging = product("Logging", "swift-log")
let signals = product("UnixSignals", "swift-service-lifecycle")
let tls = product("NIOSSL", "swift-nio-ssl")
let yaml = product("Yams", "Yams")

/// A target of the house, with the shared settings.
func house(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: houseSettings)
}

/// The tests of one target.
func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: houseSettings)
}

// Top of the list is the bottom of the house: imports point up this list only.
let package = Package(
    name: "culvert",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird",
            from: "2.28.0",
            traits: ["FullFoundation"]
        ),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        house("HTTPSemantics"),
        house("HTTP2Wire", ["HTTPSemantics", hpack, nio("NIOCore")]),
        house("TunnelWire", ["HTTPSemantics", nio("NIOCore")]),
        house("WebSocketWire", [crypto, nio("NIOCore")]),
        house("TunnelSession", ["TunnelWire", deque, nio("NIOCore")]),
        .target(
            name: "CLibwebsockets",
            linkerSettings: [
                .linkedLibrary("websockets"), .linkedLibrary("ssl"), .linkedLibrary("crypto"),
                .linkedLibrary("uv"),
            ]
        ),
        .systemLibrary(name: "CLinux"),
        house("TunnelTransport", ["CLibwebsockets", "WebSocketWire", logging]),
        house(
            "TunnelLink",
            [
                "HTTPSemantics", "TunnelSession", "TunnelTransport", "TunnelWire", crypto, heap,
                logging, nio("NIOCore"),
            ]
        ),
        house("CulvertControl", ["HTTPSemantics", crypto, database]),
        house("ControlAPI"),
        house(
            "ControlClient",
            [
                "ConfigurationFile", "ControlAPI", httpClient, nio("NIOCore"), nio("NIOHTTP1"),
                nio("NIOPosix"), tls,
            ]
        ),
        house(
            "ControlServer",
            [
                "ControlAPI", "CulvertControl", "HTTPSemantics", crypto, httpTypes, hummingbird,
                logging, nio("NIOCore"),
            ]
        ),
        house("ConfigurationFile", ["HTTPSemantics", yaml]),
        house("CulvertDNS", ["ConfigurationFile", "HTTPSemantics"]),
        house(
            "CulvertDiagnostics",
            [
                asn1, certificates, httpClient, nio("NIOCore"), nio("NIOHTTP1"),
                nio("NIOPosix"), nio("NIOTLS"), tls,
            ]
        ),
        house("StatusServer", [logging, nio("NIOCore"), nio("NIOHTTP1"), nio("NIOPosix")]),
        house(
            "CulvertConnector",
            [
                "CLinux", "ConfigurationFile", "HTTP2Wire", "HTTPSemantics", "TunnelLink",
                "TunnelSession",
                "TunnelTransport", "TunnelWire", "WebSocketWire", crypto, deque, hpack, http2,
                logging, tls,
                nio("NIOCore"), nio("NIOPosix"), nio("NIOTLS"),
            ]
        ),
        house(
            "CulvertAccess",
            [
                "ConfigurationFile", "WebSocketWire", logging, tls,
                nio("NIOCore"), nio("NIOHTTP1"), nio("NIOPosix"),
            ]
        ),
        house(
            "CulvertEdge",
            [
                "CLinux", "ConfigurationFile", "ControlAPI", "ControlServer", "CulvertControl",
                "HTTP2Wire", "HTTPSemantics",
                "StatusServer", "TunnelLink", "TunnelSession", "TunnelTransport", "TunnelWire",
                asn1, certificates,
                crypto, deque, hpack, http2,
                logging, tls, nio("NIOConcurrencyHelpers"), nio("NIOCore"), nio("NIOPosix"),
                nio("NIOTLS"),
            ]
        ),
        .executableTarget(
            name: "culvert",
            dependencies: [
                "ConfigurationFile", "ControlAPI", "ControlClient", "ControlServer",
                "CulvertAccess", "CulvertConnector", "CulvertControl", "CulvertDNS",
                "CulvertDiagnostics", "CulvertEdge",
                "HTTPSemantics", "StatusServer", "TunnelLink",
                "TunnelTransport", "TunnelWire",
                arguments, logging,
                signals,
                nio("NIOCore"), nio("NIOPosix"),
            ],
            swiftSettings: houseSettings
        ),

        tests("ArchitectureTests"),
        tests("HTTPSemanticsTests", ["HTTPSemantics"]),
        tests(
            "HTTP2WireTests",
            ["HTTP2Wire", "HTTPSemantics", nio("NIOCore"), nio("NIOEmbedded")]
        ),
        tests("StatusServerTests", ["StatusServer", logging, nio("NIOCore"), nio("NIOPosix")]),
        tests("WebSocketWireTests", ["WebSocketWire", nio("NIOCore")]),
        tests("TunnelTransportTests", ["TunnelTransport", logging]),
        .testTarget(
            name: "SystemTests",
            exclude: ["Programs"],
            swiftSettings: houseSettings
        ),
        tests("TunnelWireTests", ["HTTPSemantics", "TunnelWire", nio("NIOCore")]),
        tests(
            "TunnelSessionTests",
            ["HTTPSemantics", "TunnelSession", "TunnelWire", nio("NIOCore")]
        ),
        tests(
            "TunnelLinkTests",
            [
                "HTTPSemantics", "TunnelLink", "TunnelSession", "TunnelTransport", "TunnelWire",
                logging, nio("NIOCore"), nio("NIOPosix"),
            ]
        ),
        .testTarget(
            name: "ControlClientTests",
            dependencies: ["ConfigurationFile", "ControlAPI", "ControlClient"],
            exclude: ["Programs"],
            swiftSettings: houseSettings
        ),
        tests(
            "ControlServerTests",
            [
                "ControlAPI", "ControlServer", "CulvertControl", "HTTPSemantics", logging,
                nio("NIOCore"),
            ]
        ),
        tests(
            "CulvertAccessTests",
            [
                "ConfigurationFile", "CulvertAccess", "WebSocketWire", logging, nio("NIOCore"),
                nio("NIOEmbedded"), nio("NIOHTTP1"),
            ]
        ),
        tests("ConfigurationFileTests", ["ConfigurationFile"]),
        tests("CulvertDNSTests", ["ConfigurationFile", "CulvertDNS", "HTTPSemantics"]),
        tests("CulvertDiagnosticsTests", ["CulvertDiagnostics"]),
        tests("CulvertControlTests", ["CulvertControl", "HTTPSemantics", database]),
        tests(
            "CulvertConnectorTests",
            [
                "ConfigurationFile", "CulvertConnector", "HTTPSemantics", "TunnelLink",
                "TunnelWire", "WebSocketWire",
                crypto, hpack, http2, tls, nio("NIOConcurrencyHelpers"), nio("NIOCore"),
                nio("NIOPosix"),
            ]
        ),
        tests(
            "CulvertEdgeTests",
            [
                "ConfigurationFile", "CulvertControl", "CulvertEdge", "HTTPSemantics",
                "StatusServer", "TunnelLink", "TunnelSession", "TunnelWire", asn1, certificates,
                crypto, hpack, http2, logging, tls,
                nio("NIOConcurrencyHelpers"),
                nio("NIOCore"), nio("NIOEmbedded"), nio("NIOPosix"), nio("NIOTLS"),
            ]
        ),
    ]
)

if isFuzzing {
    for name in ["FuzzFrameDecoder", "FuzzSession"] {
        package.targets.append(
            .executableTarget(
                name: name,
                dependencies: ["HTTPSemantics", "TunnelSession", "TunnelWire", nio("NIOCore")],
                path: "Tests/Fuzzers/\(name)",
                swiftSettings: houseSettings,
                // SwiftPM renames an executable's `main`, and gold trips over libFuzzer's own.
                linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]
            )
        )
    }
}
