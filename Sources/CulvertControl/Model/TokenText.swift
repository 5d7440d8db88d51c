internal import Crypto
package import Foundation

/// A token as its holder has it: what names it, and the secret that proves it.
///
/// Written as a prefix for its purpose, `cvs_` or `cve_`, which scanners for leaked secrets can look for, and 64
/// characters of base64url (RFC 4648 §5): 16 bytes of name, 32 of secret.
package struct TokenText: Sendable, Equatable {
    package let purpose: AccessToken.Purpose
    package let id: TokenID
    /// 32 random bytes.
    private let secret: [UInt8]

    /// A token of 32 random bytes; nil for any other number.
    package init?(_ purpose: AccessToken.Purpose, id: TokenID, secret: [UInt8]) {
        guard secret.count == 32 else { return nil }
        self.purpose = purpose
        self.id = id
        self.secret = secret
    }

    /// A new one, from the system's generator.
    package init(new purpose: AccessToken.Purpose) {
        self.purpose = purpose
        self.id = TokenID()
        self.secret = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
    }

    /// Reads what ``text`` is; nil for anything else.
    package init?(_ text: String) {
        guard
            let purpose = AccessToken.Purpose.allCases.first(where: { text.hasPrefix($0.prefix) }),
            let bytes = Data(base64URL: text.dropFirst(purpose.prefix.count)), bytes.count == 48
        else { return nil }
        let name = bytes.prefix(16).withUnsafeBytes { $0.loadUnaligned(as: uuid_t.self) }
        self.init(purpose, id: TokenID(UUID(uuid: name)), secret: Array(bytes.dropFirst(16)))
    }

    /// What its holder has, 68 characters. A secret.
    package var text: String {
        var bytes = withUnsafeBytes(of: self.id.uuid.uuid) { Data($0) }
        bytes.append(contentsOf: self.secret)
        return self.purpose.prefix + bytes.base64URL
    }

    /// SHA-256 of the secret: what the edge keeps.
    package var secretHash: [UInt8] { Array(SHA256.hash(data: self.secret)) }

    /// Whether this is the token that the edge keeps as `token`, and still good at `now`. Takes the
    /// same time wherever the secrets differ.
    package func proves(_ token: AccessToken, at now: Date) -> Bool {
        let one = self.secretHash
        guard token.id == self.id, token.purpose == self.purpose,
            one.count == token.secretHash.count
        else { return false }
        let difference = zip(one, token.secretHash).reduce(0) { $0 | ($1.0 ^ $1.1) }
        return difference == 0 && token.isGood(at: now)
    }
}

extension TokenText: CustomStringConvertible, CustomReflectable {
    /// Without the secret: what is logged is lost.
    package var description: String { "\(self.purpose.prefix)\(self.id)" }

    package var customMirror: Mirror { Mirror(self, children: ["id": self.id]) }
}

extension AccessToken.Purpose {
    fileprivate var prefix: String {
        switch self {
        case .enrolment: "cve_"
        case .session: "cvs_"
        }
    }
}
