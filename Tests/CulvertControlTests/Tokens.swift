import CulvertControl
import Foundation

extension AccessToken {
    /// An enrolment code of `account` whose secret nobody knows.
    static func code(of account: Account) -> AccessToken {
        AccessToken(
            account: account.id,
            purpose: .enrolment,
            secretHash: [UInt8](repeating: 0, count: 32),
            label: "",
            expiresAt: nil,
            createdAt: account.createdAt
        )
    }
}
