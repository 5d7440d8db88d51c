package import Foundation

/// What the edge keeps of a token that speaks for an account.
package struct AccessToken: Sendable, Equatable {
    package enum Purpose: String, Sendable, CaseIterable {
        /// Turns a person who was invited into the account's; good once.
        case enrolment
        /// Speaks for the account to the API, as after `culvert login`.
        case session
    }

    package let id: TokenID
    package let account: AccountID
    package let purpose: Purpose
    /// SHA-256 of the secret half, 32 bytes.
    package let secretHash: [UInt8]
    /// Where it is used, in a person's words; up to 255 bytes.
    package var label: String
    /// From when on it is refused, used or not; nil for never.
    package var expiresAt: Date?
    /// When a session was used last, to within a day; nil when it was not since it was made.
    package var usedAt: Date?
    package var createdAt: Date

    package init(
        id: TokenID = TokenID(),
        account: AccountID,
        purpose: Purpose,
        secretHash: [UInt8],
        label: String,
        expiresAt: Date?,
        usedAt: Date? = nil,
        createdAt: Date
    ) {
        self.id = id
        self.account = account
        self.purpose = purpose
        self.secretHash = secretHash
        self.label = label
        self.expiresAt = expiresAt
        self.usedAt = usedAt
        self.createdAt = createdAt
    }
}

// How long a token is good.
extension AccessToken {
    /// A session ends when nobody has used it for so long: 90 days.
    package static let idleSeconds: TimeInterval = 90 * 86_400
    /// A session ends so long after it was made, however much it is used: a year.
    package static let lifetimeSeconds: TimeInterval = 365 * 86_400
    /// Not each use is written down: only one that comes so long after the last that was, a day.
    package static let useSeconds: TimeInterval = 86_400

    /// From when on it is refused if it is not used before; nil for never.
    package var endsAt: Date? {
        guard self.purpose == .session else { return self.expiresAt }
        let idle = (self.usedAt ?? self.createdAt) + Self.idleSeconds
        return self.expiresAt.map { min($0, idle) } ?? idle
    }

    package func isGood(at now: Date) -> Bool { self.endsAt.map { now < $0 } ?? true }

    /// Whether a use of it at `now` is to be written down.
    package func isUseNews(at now: Date) -> Bool {
        self.purpose == .session && now >= (self.usedAt ?? self.createdAt) + Self.useSeconds
    }
}
