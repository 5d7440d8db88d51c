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
    /// From when on it is refused; nil for never.
    package var expiresAt: Date?
    package var createdAt: Date

    package init(
        id: TokenID = TokenID(),
        account: AccountID,
        purpose: Purpose,
        secretHash: [UInt8],
        label: String,
        expiresAt: Date?,
        createdAt: Date
    ) {
        self.id = id
        self.account = account
        self.purpose = purpose
        self.secretHash = secretHash
        self.label = label
        self.expiresAt = expiresAt
        self.createdAt = createdAt
    }
}
