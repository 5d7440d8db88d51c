package import HTTPSemantics

// Who has an account, and what the account may have.
extension ControlPolicy {
    /// Makes an account, and a code with which somebody gets into it. Only for the operator and admins.
    ///
    /// - Throws: `invalid`, `exists`, `forbidden`.
    package func createAccount(
        _ account: Account,
        enrolment code: AccessToken,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        try Self.checkName(account.name)
        // The audit trail calls whoever has a shell on the edge's machine so.
        guard account.name.lowercased() != "operator" else {
            throw ControlError(.forbidden, "no account can be called \"\(account.name)\"")
        }
        try Self.checkQuota(account.maximumTunnels, of: "tunnels")
        try Self.checkQuota(account.maximumHostnames, of: "hostnames")
        guard registry.account(named: account.name) == nil else {
            throw ControlError(.exists, "there is an account \"\(account.name)\" already")
        }
        var transaction = request.audit(
            "account.create",
            account.name,
            ["role": account.role.rawValue]
        )
        transaction.create(.account(account))
        transaction.create(.token(code))
        return transaction
    }

    /// Changes what an account may have; what is nil stays. Only for the operator and admins.
    ///
    /// `releasesHostnames` is whether the account's hostnames that are outside of its suffixes then are taken
    /// from it; otherwise there may be none.
    ///
    /// - Throws: `unknown`, `invalid`, `forbidden`, and `inUse` for hostnames that would be outside.
    package func changeAccount(
        _ id: AccountID,
        role: Account.Role? = nil,
        maximumTunnels: Int? = nil,
        maximumHostnames: Int? = nil,
        suffixes: [NormalizedHost]? = nil,
        releasesHostnames: Bool = false,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        guard var account = registry.account(id) else {
            throw ControlError(.unknown, "there is no such account")
        }
        let isDemoted = account.role == .admin && role == .member
        if isDemoted { try self.requireAnotherAdmin(than: account, registry) }
        if let role { account.role = role }
        if let maximumTunnels {
            try Self.checkQuota(maximumTunnels, of: "tunnels")
            account.maximumTunnels = maximumTunnels
        }
        if let maximumHostnames {
            try Self.checkQuota(maximumHostnames, of: "hostnames")
            account.maximumHostnames = maximumHostnames
        }
        if let suffixes { account.suffixes = suffixes }
        var transaction = request.audit(
            "account.change",
            account.name,
            [
                "role": account.role.rawValue, "maximum-tunnels": "\(account.maximumTunnels)",
                "maximum-hostnames": "\(account.maximumHostnames)",
                "suffixes": account.suffixes.map(\.name).joined(separator: " "),
            ]
        )
        transaction.replace(.account(account), at: registry.revision(of: .account(id)))
        // Two admins could demote each other.
        if isDemoted { transaction.fence(.account, at: registry.revision(of: .account)) }
        guard role != nil || suffixes != nil else { return transaction }
        try self.confine(account, releases: releasesHostnames, in: &transaction, registry)
        return transaction
    }

    /// Sees to it that an account has no hostnames outside of its suffixes; sessions go with the hostnames.
    private func confine(
        _ account: Account,
        releases: Bool,
        in transaction: inout StoreTransaction,
        _ registry: Registry
    ) throws(ControlError) {
        let outside = registry.hostnames(ofAccount: account.id).filter { !account.isGranted($0) }
        let names = outside.map(\.description).sorted()
        guard outside.isEmpty || releases else {
            let more = names.count > 20 ? " and \(names.count - 20) more" : ""
            throw ControlError(
                .inUse,
                "\(account.name) has hostnames outside of that: "
                    + names.prefix(20).joined(separator: ", ") + more
                    + "; with --release-hostnames (`release_hostnames`) it loses them"
            )
        }
        for pattern in outside {
            let key = StoreKey.hostname(pattern)
            transaction.delete(key, at: registry.revision(of: key))
        }
        if !names.isEmpty {
            transaction.audit.details["released"] = names.joined(separator: " ")
        }
        // One that is claimed meanwhile could be outside, too.
        transaction.fence(.hostname, at: registry.revision(of: .hostname))
    }

    /// Somebody has to be left who can make and change accounts from afar.
    private func requireAnotherAdmin(
        than account: Account,
        _ registry: Registry
    ) throws(ControlError) {
        guard account.role == .admin else { return }
        guard registry.accounts.contains(where: { $0.role == .admin && $0.id != account.id }) else {
            throw ControlError(
                .forbidden,
                "\(account.name) is the last admin: make another one first (`culvert account change "
                    + "NAME --admin`, or on the edge's machine `culvert edge invite NAME --admin`)"
            )
        }
    }

    private static func checkQuota(_ count: Int, of kind: String) throws(ControlError) {
        guard (0...1_000_000).contains(count) else {
            throw ControlError(.invalid, "an account may have 0 to 1,000,000 \(kind)")
        }
    }

    /// Deletes an account with all that is its own: tunnels, keys, hostnames, tokens. Only for the
    /// operator and admins.
    ///
    /// - Throws: `unknown`, `forbidden`.
    package func deleteAccount(
        _ id: AccountID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        guard let account = registry.account(id) else {
            throw ControlError(.unknown, "there is no such account")
        }
        try self.requireAnotherAdmin(than: account, registry)
        var transaction = request.audit("account.delete", account.name)
        transaction.delete(.account(id), at: registry.revision(of: .account(id)))
        for token in registry.tokens(of: id) {
            transaction.delete(.token(token.id), at: registry.revision(of: .token(token.id)))
        }
        for tunnel in registry.tunnels(of: id) {
            Self.delete(tunnel, in: &transaction, registry)
        }
        if account.role == .admin {
            transaction.fence(.account, at: registry.revision(of: .account))
        }
        // What is made for it meanwhile would be left without an owner.
        for kind in [StoreKey.Kind.key, .hostname, .configuration] {
            transaction.fence(kind, at: registry.revision(of: kind))
        }
        transaction.fence(.tunnel, at: registry.revision(of: .tunnel))
        transaction.fence(.token, at: registry.revision(of: .token))
        return transaction
    }
}
