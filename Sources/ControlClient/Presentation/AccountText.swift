package import ControlAPI

/// Accounts, invitations and the audit trail for people to read.
package enum AccountText {
    /// A line for each account.
    package static func list(_ accounts: [AccountDocument], _ time: LocalTime) -> String {
        var table = TextTable(["NAME", "ROLE", "TUNNELS", "HOSTNAMES", "CREATED", "ID"])
        for account in accounts {
            table.add([
                account.name, account.role, Self.tunnels(account), Self.suffixes(account),
                time.minute(account.createdAt), account.id,
            ])
        }
        return table.text
    }

    /// All there is to know of an account.
    package static func details(_ account: AccountDocument, _ time: LocalTime) -> String {
        var list = TextList()
        list.add("Name", account.name)
        list.add("ID", account.id)
        list.add("Role", account.role)
        list.add("Tunnels", Self.tunnels(account))
        list.add("Hostnames", Self.suffixes(account))
        list.add("Created", time.minute(account.createdAt))
        return list.text
    }

    /// A line for each session; the one that asks has a star.
    package static func sessions(_ sessions: [SessionDocument], _ time: LocalTime) -> String {
        var table = TextTable(["ID", "WHERE", "SINCE", "USED", "ENDS UNLESS USED"])
        for session in sessions {
            table.add([
                session.id, session.label + (session.isCurrent ? " *" : ""),
                time.minute(session.createdAt), time.day(session.usedAt ?? session.createdAt),
                session.expiresAt.map { time.day($0) } ?? "never",
            ])
        }
        return table.text
    }

    /// What to hand to whom the invitation is for.
    package static func invitation(_ invitation: InvitationDocument, _ time: LocalTime) -> String {
        var list = TextList()
        list.add("Account", invitation.account.name)
        list.add("Browser", invitation.url)
        list.add("Code", invitation.code)
        list.add("Good until", "\(time.minute(invitation.expiresAt)), once")
        return list.text
    }

    /// A line for each invitation that is open.
    package static func invitations(
        _ invitations: [OpenInvitationDocument],
        _ time: LocalTime
    ) -> String {
        var table = TextTable(["ID", "ACCOUNT", "INVITED BY", "MADE", "GOOD UNTIL"])
        for invitation in invitations {
            table.add([
                invitation.id, invitation.account, invitation.createdBy ?? "unknown",
                time.minute(invitation.createdAt),
                invitation.expiresAt.map { time.minute($0) } ?? "it is used",
            ])
        }
        return table.text
    }

    /// A line for each entry.
    package static func audit(_ entries: [AuditDocument], _ time: LocalTime) -> String {
        var table = TextTable(["REVISION", "TIME", "WHO", "WHAT", "SUBJECT", "DETAILS"])
        for entry in entries {
            let details = entry.details.sorted { $0.key < $1.key }
            table.add([
                "\(entry.revision)", time.second(entry.at), entry.actor, entry.action,
                entry.subject, details.map { "\($0.key)=\($0.value)" }.joined(separator: " "),
            ])
        }
        return table.text
    }

    private static func tunnels(_ account: AccountDocument) -> String {
        account.maximumTunnels.map { "up to \($0)" } ?? "no limit"
    }

    private static func suffixes(_ account: AccountDocument) -> String {
        guard let suffixes = account.suffixes else { return "any" }
        guard !suffixes.isEmpty else { return "none" }
        let names = suffixes.map { "*.\($0)" }.joined(separator: ", ")
        return account.maximumHostnames.map { "up to \($0) of \(names)" } ?? names
    }
}
