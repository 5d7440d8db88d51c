import ControlAPI
import Foundation

// Documents as an edge sends them.
enum Sample {
    /// 2026-11-27 20:53:10 UTC.
    static let time = Date(timeIntervalSince1970: 1_795_812_790)

    static let account = AccountDocument(
        id: "a-1",
        name: "ann",
        role: "admin",
        maximumTunnels: nil,
        suffixes: nil,
        createdAt: Self.time
    )

    static let key = KeyDocument(
        publicKey: "mB3xJb0k/+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        label: "first",
        hostnames: nil,
        expiresAt: nil,
        createdAt: Self.time
    )

    static let tunnel = TunnelDocument(
        id: "t-1",
        name: "demo",
        owner: "ann",
        createdAt: Self.time,
        hostnames: ["app.example.com", "b.example.com"],
        keys: [Self.key],
        connectors: [],
        configurationVersion: nil
    )

    static let edge = EdgeDocument(
        agent: "culvert/0.1.0",
        connect: "connect.example.com:443",
        domain: "example.com",
        wildcard: "*.example.com"
    )

    static func entry(_ revision: Int64) -> AuditDocument {
        AuditDocument(
            revision: revision,
            at: Self.time,
            actor: "ann",
            action: "tunnel.create",
            subject: "demo",
            details: ["owner": "ann", "some_key": "x"]
        )
    }
}
