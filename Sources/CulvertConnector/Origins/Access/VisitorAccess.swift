internal import Crypto
internal import Foundation
package import HTTPSemantics
internal import TunnelWire

/// A name and password that a rule lets in, by HTTP's Basic authentication (RFC 7617).
package struct BasicLogin: Hashable, Sendable {
    /// Not empty and without a colon, which would end it.
    package let user: String
    /// At least ``minimumPasswordBytes`` long.
    package let password: String

    /// Shorter passwords are guessed: nothing here slows a guesser down.
    package static let minimumPasswordBytes = 8

    /// Reads `user:password`; a password may have colons.
    ///
    /// - Throws: `BasicLoginError`, which never repeats the password.
    package init(_ text: String) throws(BasicLoginError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { throw .notALogin }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .controlCharacter }
        guard parts[1].utf8.count >= Self.minimumPasswordBytes else { throw .shortPassword }
        self.user = String(parts[0])
        self.password = String(parts[1])
    }

    fileprivate var credentials: String { "\(self.user):\(self.password)" }
}

/// Why a text is no ``BasicLogin``; for a person, and without the password.
package enum BasicLoginError: Error, Equatable, Sendable, CustomStringConvertible {
    case notALogin
    case controlCharacter
    case shortPassword

    package var description: String {
        switch self {
        case .notALogin: "is no user:password"
        case .controlCharacter: "has a control character"
        case .shortPassword:
            "has a password of fewer than \(BasicLogin.minimumPasswordBytes) characters"
        }
    }
}

/// Who may visit what a rule serves. Without logins nobody is asked for one, and without ranges one may
/// come from anywhere.
///
/// It is decided here, at the end that the origin's owner runs: the edge learns no password.
package struct VisitorAccess: Hashable, Sendable {
    /// Any of them lets a visitor in.
    package var logins: [BasicLogin] = []
    /// The visitor's address has to be in one of them.
    package var ranges: [AddressRange] = []

    /// Lets everybody in.
    package init() {}

    /// Whether everybody is let in.
    var isOpen: Bool { self.logins.isEmpty && self.ranges.isEmpty }

    enum Decision: Equatable {
        case admitted
        /// 403: not from this address.
        case forbidden
        /// 401: no login came, or none that is known.
        case unauthorized
    }

    func decide(_ head: RequestHead) -> Decision {
        if !self.ranges.isEmpty {
            guard let address = Self.visitorAddress(of: head),
                self.ranges.contains(where: { $0.contains(address) })
            else { return .forbidden }
        }
        guard !self.logins.isEmpty else { return .admitted }
        return self.knowsLogin(of: head) ? .admitted : .unauthorized
    }

    /// Where the visitor connects from: the edge's word, the last address of `X-Forwarded-For`, which it
    /// sets itself. There are more only where the edge was reached through a proxy that its `trusted-proxies`
    /// name; then the last is that proxy, and the one before is whom the proxy was reached from.
    private static func visitorAddress(of head: RequestHead) -> IPAddress? {
        let addresses = head.fields.values("X-Forwarded-For").flatMap { $0.split(separator: ",") }
        guard let last = addresses.last else { return nil }
        let visitor = addresses.count > 1 ? addresses[addresses.count - 2] : last
        return IPAddress(visitor.trimmingPrefix { $0 == " " })
    }

    private func knowsLogin(of head: RequestHead) -> Bool {
        let values = head.fields.values("Authorization")
        guard values.count == 1, let value = values.first else { return false }
        let words = value.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "basic",
            let given = Data(base64Encoded: String(words[1]))
        else { return false }
        // Digests compare in constant time, and hide the length; all are compared.
        let digest = SHA256.hash(data: given)
        return self.logins.reduce(false) { isKnown, login in
            (SHA256.hash(data: Data(login.credentials.utf8)) == digest) || isKnown
        }
    }
}

extension LocalAnswer {
    /// What a visitor is told who is not let in; nil for one who is.
    static func refusal(_ decision: VisitorAccess.Decision, _ request: RequestHead) -> LocalAnswer?
    {
        switch decision {
        case .admitted: return nil
        case .forbidden:
            return .refusal(
                "Your address is not one of those that may visit this.",
                status: 403,
                reason: "Forbidden",
                request
            )
        case .unauthorized:
            var answer = LocalAnswer.refusal(
                "This asks for a user name and a password.",
                status: 401,
                reason: "Unauthorized",
                request
            )
            answer.head.fields.append(
                "WWW-Authenticate",
                #"Basic realm="culvert", charset="UTF-8""#
            )
            return answer
        }
    }
}
