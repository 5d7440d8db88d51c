package import Foundation

/// Who did what to what; never changed and never deleted by the edge.
package struct AuditEntry: Sendable, Equatable {
    /// Who did it.
    package enum Actor: Sendable, Equatable {
        /// Someone with a shell on the edge's machine.
        case `operator`
        case account(AccountID)
    }

    package var at: Date
    package var actor: Actor
    /// The account's name at the time; nil for the operator, and in entries of older versions.
    package var actorName: String?
    /// What was done, such as `tunnel.create`; see ``StoreTransaction``.
    package var action: String
    /// What it was done to, by the name that people know it by; of a tunnel that is `ACCOUNT/NAME`.
    package var subject: String
    /// What else there is to say, no secrets.
    package var details: [String: String]

    package init(
        at: Date,
        actor: Actor,
        actorName: String? = nil,
        action: String,
        subject: String,
        details: [String: String] = [:]
    ) {
        self.at = at
        self.actor = actor
        self.actorName = actorName
        self.action = action
        self.subject = subject
        self.details = details
    }
}
