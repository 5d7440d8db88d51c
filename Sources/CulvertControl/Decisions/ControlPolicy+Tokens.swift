package import Foundation

// Codes that let somebody into an account, and the session tokens that come of them.
extension ControlPolicy {
    /// Session tokens an account may have; one more ends the oldest.
    package static let maximumSessions = 100

    /// Makes an enrolment code for an account. Only for the operator and admins.
    ///
    /// - Throws: `unknown`, `forbidden`.
    package func invite(
        _ code: AccessToken,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        guard let account = registry.account(code.account) else {
            throw ControlError(.unknown, "there is no such account")
        }
        var transaction = request.audit("account.invite", account.name)
        self.add(code, in: &transaction, request, registry)
        return transaction
    }

    /// Changes an enrolment code for a session token; the code is used up.
    ///
    /// - Throws: `unknown` for a code that is not good.
    package func enrol(
        with code: TokenText,
        for session: (AccountID) -> AccessToken,
        _ now: Date,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        guard code.purpose == .enrolment, let kept = registry.token(code.id),
            code.proves(kept, at: now), let account = registry.account(kept.account)
        else {
            throw ControlError(
                .unknown,
                "this enrolment code is not good: it was used, has expired, or never was one. Ask for "
                    + "another (`culvert edge invite` on the edge's machine makes one)"
            )
        }
        let request = Request(.account(account.id), named: account.name, at: now)
        let session = session(account.id)
        var transaction = request.audit("session.create", account.name, ["label": session.label])
        transaction.delete(.token(kept.id), at: registry.revision(of: .token(kept.id)))
        self.add(session, in: &transaction, request, registry, besides: kept.id)
        return transaction
    }

    /// Makes a session token for the account that asks: of a device that it lets in.
    ///
    /// - Throws: `unknown`, `forbidden`, `invalid`.
    package func createSession(
        _ session: AccessToken,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let account = try self.requireOwner(session.account, request, registry)
        var transaction = request.audit("session.create", account.name, ["label": session.label])
        self.add(session, in: &transaction, request, registry)
        return transaction
    }

    /// Takes an enrolment code back before anybody has used it. Only for the operator and admins.
    ///
    /// - Throws: `unknown`, also for one that was used; `forbidden`.
    package func withdrawInvitation(
        _ id: TokenID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        guard let code = registry.token(id), code.purpose == .enrolment else {
            throw ControlError(
                .unknown,
                "there is no such invitation: it was used or withdrawn, or never was one"
            )
        }
        var transaction = request.audit(
            "invitation.withdraw",
            registry.account(code.account)?.name ?? "\(code.account)",
            ["invitation": "\(id)"]
        )
        transaction.delete(.token(id), at: registry.revision(of: .token(id)))
        return transaction
    }

    /// Ends a session token; who has it is logged out. Admins end everybody's; with `account` it is to be that one's.
    ///
    /// - Throws: `unknown`.
    package func revokeToken(
        _ id: TokenID,
        of account: AccountID? = nil,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let unknown = ControlError(.unknown, "there is no such session")
        guard let token = registry.token(id), token.purpose == .session,
            token.account == account ?? token.account
        else { throw unknown }
        guard let owner = try? self.requireOwner(token.account, request, registry) else {
            throw unknown
        }
        var transaction = request.audit("session.delete", owner.name, ["label": token.label])
        transaction.delete(.token(id), at: registry.revision(of: .token(id)))
        return transaction
    }

    /// Keeps that a session is in use; to be asked where ``AccessToken/isUseNews(at:)``, so once a day at
    /// most.
    ///
    /// - Throws: `unknown` when it is no good any more, `conflict` when somebody else has kept it.
    package func noteUse(
        of id: TokenID,
        at now: Date,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        guard var token = registry.token(id), token.purpose == .session, token.isGood(at: now),
            let account = registry.account(token.account)
        else { throw ControlError(.unknown, "there is no such session") }
        guard token.isUseNews(at: now) else {
            throw ControlError(.conflict, "that the session is in use is known")
        }
        token.usedAt = now
        let request = Request(.account(account.id), named: account.name, at: now)
        var transaction = request.audit("session.use", account.name, ["label": token.label])
        transaction.replace(.token(token), at: registry.revision(of: .token(id)))
        return transaction
    }

    /// Adds a token, and takes away those of its account that have expired, or are too many.
    private func add(
        _ token: AccessToken,
        in transaction: inout StoreTransaction,
        _ request: Request,
        _ registry: Registry,
        besides gone: TokenID? = nil
    ) {
        transaction.create(.token(token))
        let account = StoreKey.account(token.account)
        transaction.expect(account, at: registry.revision(of: account))
        let others = registry.tokens(of: token.account).filter { $0.id != gone }
        let good = others.filter { $0.isGood(at: request.now) }
        let sessions = good.filter { $0.purpose == .session }
        let tooMany = sessions.prefix(max(0, sessions.count + 1 - Self.maximumSessions))
        let kept = Set(good.map(\.id)).subtracting(tooMany.map(\.id))
        for other in others where !kept.contains(other.id) {
            let key = StoreKey.token(other.id)
            transaction.delete(key, at: registry.revision(of: key))
        }
    }
}
