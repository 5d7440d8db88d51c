// swift-tools-version: 6.2
import PackageDescription

/// Settings every Swift target shares; warnings are errors, exclusivity is checked in debug builds only.
let houseSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")

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
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        house("HTTPSemantics"),
        house("TunnelWire", ["HTTPSemantics", nio("NIOCore")]),
        house("TunnelSession", ["TunnelWire", nio("NIOCore"), deque]),
        .target(
            name: "CLibwebsockets",
            linkerSettings: [
                .linkedLibrary("websockets"), .linkedLibrary("ssl"), .linkedLibrary("crypto"),
                .linkedLibrary("uv"),
            ]
        ),
        house("TunnelTransport", ["CLibwebsockets", logging]),
        house(
            "TunnelLink",
            [
                "HTTPSemantics", "TunnelSession", "TunnelTransport", "TunnelWire", crypto, logging,
                nio("NIOCore"),
            ]
        ),
        tests("HTTPSemanticsTests", ["HTTPSemantics"]),
        tests(
            "TunnelLinkTests",
            [
                "HTTPSemantics", "TunnelLink", "TunnelSession", "TunnelTransport", "TunnelWire",
                logging, nio("NIOCore"), nio("NIOPosix"),
            ]
        ),
        tests("TunnelSessionTests", ["TunnelSession", "TunnelWire", nio("NIOCore")]),
    ]
)
