package import Foundation

/// An account.
package struct AccountDocument: Codable, Sendable, Equatable {
    package var id: String
    package var name: String
    /// `admin` or `member`.
    package var role: String
    /// How many tunnels it may have; absent for no limit.
    package var maximumTunnels: Int?
    /// How many hostnames they may have together; absent for no limit.
    package var maximumHostnames: Int?
    /// It may have hostnames below these, and these themselves; absent for no limit.
    package var suffixes: [String]?
    package var createdAt: Date

    package init(
        id: String,
        name: String,
        role: String,
        maximumTunnels: Int?,
        maximumHostnames: Int? = nil,
        suffixes: [String]?,
        createdAt: Date
    ) {
        self.id = id
        self.name = name
        self.role = role
        self.maximumTunnels = maximumTunnels
        self.maximumHostnames = maximumHostnames
        self.suffixes = suffixes
        self.createdAt = createdAt
    }
}

/// An account to be made.
package struct NewAccountDocument: Codable, Sendable, Equatable {
    /// 1 to 64 letters, digits, and `.` `_` `-` `@`.
    package var name: String
    /// `admin` or `member`; a member when absent.
    package var role: String?
    /// 10 when absent.
    package var maximumTunnels: Int?
    /// 100 when absent.
    package var maximumHostnames: Int?
    /// When absent: the edge's domain.
    package var suffixes: [String]?

    package init(
        name: String,
        role: String? = nil,
        maximumTunnels: Int? = nil,
        maximumHostnames: Int? = nil,
        suffixes: [String]? = nil
    ) {
        self.name = name
        self.role = role
        self.maximumTunnels = maximumTunnels
        self.maximumHostnames = maximumHostnames
        self.suffixes = suffixes
    }
}

/// What is to be changed of an account; what is absent stays.
package struct AccountChangeDocument: Codable, Sendable, Equatable {
    package var role: String?
    package var maximumTunnels: Int?
    package var maximumHostnames: Int?
    package var suffixes: [String]?
    /// Whether it loses the hostnames that are outside of its suffixes then; if there are some, it is refused
    /// otherwise.
    package var releaseHostnames: Bool?

    package init(
        role: String? = nil,
        maximumTunnels: Int? = nil,
        maximumHostnames: Int? = nil,
        suffixes: [String]? = nil,
        releaseHostnames: Bool? = nil
    ) {
        self.releaseHostnames = releaseHostnames
        self.role = role
        self.maximumTunnels = maximumTunnels
        self.maximumHostnames = maximumHostnames
        self.suffixes = suffixes
    }
}

/// How somebody gets into an account.
package struct InvitationDocument: Codable, Sendable, Equatable {
    package var account: AccountDocument
    /// `cve_…`, good once.
    package var code: String
    /// Where a browser enters with it.
    package var url: String
    package var expiresAt: Date

    package init(account: AccountDocument, code: String, url: String, expiresAt: Date) {
        self.account = account
        self.code = code
        self.url = url
        self.expiresAt = expiresAt
    }
}

/// An invitation that nobody has used yet, without its code, which the edge does not know.
package struct OpenInvitationDocument: Codable, Sendable, Equatable {
    package var id: String
    /// The name of the account that it lets somebody into.
    package var account: String
    /// Who made it: an account's name at the time, or `operator` for a shell on the edge's machine; absent when that
    /// is not known.
    package var createdBy: String?
    package var createdAt: Date
    /// From when on it is refused.
    package var expiresAt: Date?

    package init(
        id: String,
        account: String,
        createdBy: String? = nil,
        createdAt: Date,
        expiresAt: Date?
    ) {
        self.id = id
        self.account = account
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// Who did what to what.
package struct AuditDocument: Codable, Sendable, Equatable {
    /// Its number; entries before it are asked for with `before`.
    package var revision: Int64
    package var at: Date
    /// The account's name at the time, or `operator` for a shell on the edge's machine.
    package var actor: String
    /// Such as `tunnel.create`.
    package var action: String
    /// What it was done to; of a tunnel, `ACCOUNT/NAME`.
    package var subject: String
    package var details: [String: String]

    package init(
        revision: Int64,
        at: Date,
        actor: String,
        action: String,
        subject: String,
        details: [String: String]
    ) {
        self.revision = revision
        self.at = at
        self.actor = actor
        self.action = action
        self.subject = subject
        self.details = details
    }
}
