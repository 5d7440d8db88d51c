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
        try Self.checkQuota(account.maximumTunnels)
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
    /// - Throws: `unknown`, `invalid`, `forbidden`.
    package func changeAccount(
        _ id: AccountID,
        role: Account.Role? = nil,
        maximumTunnels: Int? = nil,
        suffixes: [NormalizedHost]? = nil,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        guard var account = registry.account(id) else {
            throw ControlError(.unknown, "there is no such account")
        }
        if let role { account.role = role }
        if let maximumTunnels {
            try Self.checkQuota(maximumTunnels)
            account.maximumTunnels = maximumTunnels
        }
        if let suffixes { account.suffixes = suffixes }
        var transaction = request.audit(
            "account.change",
            account.name,
            [
                "role": account.role.rawValue, "maximum-tunnels": "\(account.maximumTunnels)",
                "suffixes": account.suffixes.map(\.name).joined(separator: " "),
            ]
        )
        transaction.replace(.account(account), at: registry.revision(of: .account(id)))
        return transaction
    }

    private static func checkQuota(_ tunnels: Int) throws(ControlError) {
        guard (0...1_000_000).contains(tunnels) else {
            throw ControlError(.invalid, "an account may have 0 to 1,000,000 tunnels")
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
        var transaction = request.audit("account.delete", account.name)
        transaction.delete(.account(id), at: registry.revision(of: .account(id)))
        for token in registry.tokens(of: id) {
            transaction.delete(.token(token.id), at: registry.revision(of: .token(token.id)))
        }
        for tunnel in registry.tunnels(of: id) {
            Self.delete(tunnel, in: &transaction, registry)
        }
        // A tunnel or a token that is made meanwhile would be left without an owner.
        transaction.fence(.tunnel, at: registry.revision(of: .tunnel))
        transaction.fence(.token, at: registry.revision(of: .token))
        return transaction
    }
}
