package import Foundation

/// A random 128-bit number (RFC 9562, version 4) that names one account for ever.
package struct AccountID: Hashable, Sendable, Codable {
    package let uuid: UUID

    package init(_ uuid: UUID = UUID()) { self.uuid = uuid }
}

/// A random 128-bit number (RFC 9562, version 4) that names one tunnel for ever.
package struct TunnelID: Hashable, Sendable, Codable {
    package let uuid: UUID

    package init(_ uuid: UUID = UUID()) { self.uuid = uuid }
}

/// A random 128-bit number (RFC 9562, version 4): the half of a token that is no secret.
package struct TokenID: Hashable, Sendable, Codable {
    package let uuid: UUID

    package init(_ uuid: UUID = UUID()) { self.uuid = uuid }
}

/// Identifiers are written as lower-case text, as in cloudflared's files.
private func text(_ uuid: UUID) -> String { uuid.uuidString.lowercased() }

extension AccountID: CustomStringConvertible {
    package var description: String { text(self.uuid) }
}

extension TunnelID: CustomStringConvertible {
    package var description: String { text(self.uuid) }
}

extension TokenID: CustomStringConvertible {
    package var description: String { text(self.uuid) }
}
