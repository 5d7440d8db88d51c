package import ControlAPI
package import CulvertControl
package import Foundation
internal import HTTPSemantics

/// An account with a code that lets somebody into it, once.
package struct Invitation: Sendable {
    /// How long a code is good: a day.
    package static let lifetimeSeconds = 86_400.0

    package let account: Account
    private let code: TokenText
    private let expiresAt: Date
    private let now: Date

    /// Into an account that is there.
    package init(to account: Account, now: Date) {
        self.account = account
        self.code = TokenText(new: .enrolment)
        self.now = now
        self.expiresAt = now + Self.lifetimeSeconds
    }

    /// Into an account that is to be made.
    ///
    /// - Throws: `invalid`.
    package init(
        _ document: NewAccountDocument,
        _ settings: ControlSettings,
        now: Date
    ) throws(APIProblem) {
        let role = try document.role.map { text throws(APIProblem) in try Account.Role(asked: text)
        }
        var suffixes: [NormalizedHost] = []
        if let asked = document.suffixes {
            for text in asked { suffixes.append(try NormalizedHost(asked: text)) }
        } else if let domain = settings.domain {
            // What the usual wildcard certificate covers.
            suffixes = [domain]
        }
        self.init(
            to: Account(
                name: document.name,
                role: role ?? .member,
                maximumTunnels: document.maximumTunnels ?? 10,
                maximumHostnames: document.maximumHostnames ?? 100,
                suffixes: suffixes,
                createdAt: now
            ),
            now: now
        )
    }

    /// What the store keeps of the code.
    package var kept: AccessToken {
        AccessToken(
            id: self.code.id,
            account: self.account.id,
            purpose: .enrolment,
            secretHash: self.code.secretHash,
            label: "invitation",
            expiresAt: self.expiresAt,
            createdAt: self.now
        )
    }

    /// What whoever invites is told, the code included.
    package func document(_ settings: ControlSettings) -> InvitationDocument {
        InvitationDocument(
            account: AccountDocument(self.account),
            code: self.code.text,
            // Behind a `#`: it reaches no log on the way.
            url: "\(settings.controlURL)/enrol#\(self.code.text)",
            expiresAt: self.expiresAt
        )
    }
}

extension Account.Role {
    /// A role as somebody wrote it.
    ///
    /// - Throws: `invalid`.
    init(asked text: String) throws(APIProblem) {
        guard let role = Account.Role(rawValue: text) else {
            throw APIProblem(.invalid, "role is admin or member, found \"\(text)\"")
        }
        self = role
    }
}
