internal import Crypto
internal import CulvertControl
internal import Foundation
internal import TunnelWire

/// What the cookie says of each connector of one sticky hostname.
///
/// The value is an HMAC of the hostname, keyed with the connector's id: 128 random bits that a connector
/// makes when it starts and tells nobody but its edges. So a value stays good for as long as the
/// connector's process lives, over all its sessions and over restarts of the edge, at each of several
/// edges, and none of them has a secret to keep. It says nothing of the connector, and whoever makes one
/// up, or brings one of another hostname, is a visitor without a cookie.
struct StickyTokens {
    private let connectors: [String: SessionID]
    private let values: [SessionID: String]

    init(hostname: String, connectors: some Sequence<SessionID>) {
        var values: [SessionID: String] = [:]
        for connector in connectors where values[connector] == nil {
            values[connector] = Self.value(of: connector, for: hostname)
        }
        self.values = values
        self.connectors = Dictionary(values.map { ($0.value, $0.key) }) { first, _ in first }
    }

    /// The cookie's value for a connector; nil for one that is not among them.
    func value(of connector: SessionID) -> String? { self.values[connector] }

    /// The connector that the first good one of `values` names.
    func connector(of values: [Substring]) -> SessionID? {
        for value in values {
            if let connector = self.connectors[String(value)] { return connector }
        }
        return nil
    }

    /// 22 characters of base64url: 128 bits.
    private static func value(of connector: SessionID, for hostname: String) -> String {
        let id = withUnsafeBytes(of: (connector.high.bigEndian, connector.low.bigEndian)) {
            Data($0)
        }
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("culvert-sticky \(hostname)".utf8),
            using: SymmetricKey(data: id)
        )
        return Data(code.prefix(16)).base64URL
    }
}
