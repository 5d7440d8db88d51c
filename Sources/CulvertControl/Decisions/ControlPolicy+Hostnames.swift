package import HTTPSemantics

// Which hostname leads to which tunnel.
extension ControlPolicy {
    /// Gives a hostname, or a wildcard, to a tunnel.
    ///
    /// A name that another account's connectors serve by having asked for it is theirs while they do. That is in no
    /// store, so the store cannot hold this to it: of a login that comes between this and the commit, the claim is
    /// the stronger, and the session ends. `holder` is who serves an exact name now, by having asked for it.
    ///
    /// With `moving` it is taken from another tunnel of the same account, if one has it: there is no moment in which
    /// it leads nowhere. Without a `balance` it keeps the one that it had, `leastRequests` for a new one.
    ///
    /// - Throws: `exists` when the tunnel has it, or without `moving` another tunnel of the account; `forbidden`
    ///   when it is not to be had, `inUse`, `overQuota`, `unknown`.
    package func claim(
        _ pattern: HostPattern,
        for id: TunnelID,
        balance: Balance? = nil,
        moving: Bool = false,
        holder: LiveHolder? = nil,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(id, request, registry)
        guard let owner = registry.account(tunnel.owner) else {
            throw ControlError(.unknown, "the tunnel's account is gone")
        }
        try self.checkGranted(pattern, to: owner)
        let former = try self.former(of: pattern, moving: moving, to: tunnel, registry)
        try self.checkFree(pattern, for: tunnel, owner, registry)
        try self.checkNotLive(pattern, holder, for: tunnel, registry)
        guard let former else {
            let claim = HostnameClaim(
                pattern: pattern,
                tunnel: id,
                balance: balance ?? .leastRequests,
                createdAt: request.now
            )
            return try self.create(claim, of: tunnel, owner, request, registry)
        }
        return self.move(former, to: tunnel, balance: balance, request, registry)
    }

    private func create(
        _ claim: HostnameClaim,
        of tunnel: Tunnel,
        _ owner: Account,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let count = owner.role == .admin ? 0 : registry.hostnameCount(ofAccount: owner.id)
        guard owner.role == .admin || count < owner.maximumHostnames else {
            throw ControlError(
                .overQuota,
                "\(owner.name) has \(count) hostnames, as many as it may; release one, or ask an admin "
                    + "for more"
            )
        }
        var transaction = request.audit(
            "hostname.claim",
            claim.pattern.description,
            ["tunnel": Self.title(of: tunnel, registry), "balance": claim.balance.rawValue]
        )
        transaction.create(.hostname(claim))
        self.hold(tunnel, in: &transaction, registry)
        return transaction
    }

    private func move(
        _ former: HostnameClaim,
        to tunnel: Tunnel,
        balance: Balance?,
        _ request: Request,
        _ registry: Registry
    ) -> StoreTransaction {
        var claim = former
        claim.tunnel = tunnel.id
        claim.balance = balance ?? former.balance
        let source = registry.tunnel(former.tunnel).map { Self.title(of: $0, registry) }
        var transaction = request.audit(
            "hostname.move",
            claim.pattern.description,
            [
                "from": source ?? "", "tunnel": Self.title(of: tunnel, registry),
                "balance": claim.balance.rawValue,
            ]
        )
        let key = StoreKey.hostname(claim.pattern)
        transaction.replace(.hostname(claim), at: registry.revision(of: key))
        self.hold(tunnel, in: &transaction, registry)
        return transaction
    }

    /// What a tunnel's claim depends on.
    private func hold(
        _ tunnel: Tunnel,
        in transaction: inout StoreTransaction,
        _ registry: Registry
    ) {
        let (key, owner) = (StoreKey.tunnel(tunnel.id), StoreKey.account(tunnel.owner))
        transaction.expect(key, at: registry.revision(of: key))
        transaction.expect(owner, at: registry.revision(of: owner))
        // Another wildcard could come to cover it.
        transaction.fence(.hostname, at: registry.revision(of: .hostname))
    }

    /// The claim that is to be moved to `tunnel`; nil when the hostname is nobody's.
    private func former(
        of pattern: HostPattern,
        moving: Bool,
        to tunnel: Tunnel,
        _ registry: Registry
    ) throws(ControlError) -> HostnameClaim? {
        guard let claim = registry.hostname(pattern) else { return nil }
        guard claim.tunnel != tunnel.id else {
            throw ControlError(.exists, "\(pattern) leads to \(tunnel.name) already")
        }
        // Another account's names are not told.
        guard let other = registry.tunnel(claim.tunnel), other.owner == tunnel.owner else {
            throw ControlError(.forbidden, "\(pattern) belongs to another account")
        }
        guard moving else {
            throw ControlError(
                .exists,
                "\(pattern) leads to \(other.name), another tunnel of the same account: say that it is to "
                    + "be moved (`culvert tunnel route dns --overwrite-dns`), or take it from there"
            )
        }
        return claim
    }

    /// Has the requests of a tunnel's hostname shared out in another way.
    ///
    /// - Throws: `unknown`.
    package func setBalance(
        _ balance: Balance,
        of pattern: HostPattern,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        var (claim, tunnel) = try self.requireHostname(pattern, request, registry)
        claim.balance = balance
        var transaction = request.audit(
            "hostname.change",
            pattern.description,
            ["tunnel": Self.title(of: tunnel, registry), "balance": balance.rawValue]
        )
        transaction.replace(.hostname(claim), at: registry.revision(of: .hostname(pattern)))
        return transaction
    }

    /// Takes a hostname from its tunnel.
    ///
    /// - Throws: `unknown`.
    package func release(
        _ pattern: HostPattern,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let key = StoreKey.hostname(pattern)
        let (_, tunnel) = try self.requireHostname(pattern, request, registry)
        var transaction = request.audit(
            "hostname.release",
            pattern.description,
            ["tunnel": Self.title(of: tunnel, registry)]
        )
        transaction.delete(key, at: registry.revision(of: key))
        return transaction
    }

    /// A hostname and its tunnel, if whoever asks may know of it.
    private func requireHostname(
        _ pattern: HostPattern,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> (HostnameClaim, Tunnel) {
        guard let claim = registry.hostname(pattern),
            let tunnel = try? self.requireTunnel(claim.tunnel, request, registry)
        else { throw ControlError(.unknown, "\(pattern) is not one of your hostnames") }
        return (claim, tunnel)
    }

    private func checkGranted(_ pattern: HostPattern, to owner: Account) throws(ControlError) {
        let host: NormalizedHost
        switch pattern.kind {
        case .exact(let name), .suffix(let name): host = name
        case .any:
            guard owner.role == .admin else {
                throw ControlError(.forbidden, "only an admin's tunnel can have every hostname")
            }
            return
        }
        // A wildcard above them is fine: exact names go first, and the edge's own before all.
        guard pattern.kind != .exact(host) || !self.reserved.contains(host) else {
            throw ControlError(.forbidden, "\(host) is the edge's own name")
        }
        if let other = self.declared.first(where: { $0.covers(pattern) }) {
            throw ControlError(
                .forbidden,
                "\(pattern) is given away by the edge's configuration, as \(other)"
            )
        }
        guard owner.role != .admin else { return }
        // "Below the domain" is below it, and what looks like the edge's own is not for everybody.
        let isEdges = self.reserved.contains {
            (host == $0 || host.isBelow($0)) && !owner.isGrantedWithin($0)
        }
        guard !self.shared.contains(host), !isEdges else {
            throw ControlError(.forbidden, "only an admin's tunnel can have \(pattern)")
        }
        guard owner.isGranted(pattern) else {
            let granted = owner.suffixes.map(\.name).joined(separator: ", ")
            throw ControlError(
                .forbidden,
                granted.isEmpty
                    ? "\(owner.name) was granted no hostnames; ask an admin"
                    : "\(pattern) is not below what \(owner.name) was granted: \(granted)"
            )
        }
    }

    private func checkFree(
        _ pattern: HostPattern,
        for tunnel: Tunnel,
        _ owner: Account,
        _ registry: Registry
    ) throws(ControlError) {
        for claim in registry.claims(overlapping: pattern) {
            guard registry.tunnel(claim.tunnel)?.owner != tunnel.owner else { continue }
            throw ControlError(
                .forbidden,
                "\(pattern) would take requests from a hostname of another account"
            )
        }
        try self.checkNotBeneathAnothers(pattern, owner, registry)
    }

    /// Names below a hostname are for the account that has it, for admins, and for accounts that were granted
    /// them: a suffix at or below that hostname.
    private func checkNotBeneathAnothers(
        _ pattern: HostPattern,
        _ owner: Account,
        _ registry: Registry
    ) throws(ControlError) {
        guard owner.role != .admin else { return }
        let host: NormalizedHost
        switch pattern.kind {
        case .exact(let name), .suffix(let name): host = name
        case .any: return
        }
        // `*.NAME` is below NAME, too.
        let above = (pattern.kind == .suffix(host) ? [host] : []) + host.parents
        for other in above {
            guard let claim = registry.hostname(HostPattern(exactly: other)),
                registry.tunnel(claim.tunnel)?.owner != owner.id,
                !owner.isGrantedWithin(other)
            else { continue }
            throw ControlError(
                .forbidden,
                "\(pattern) is below \(other), a hostname of another account; an admin can grant it "
                    + "(`culvert account change \(owner.name) --suffix`)"
            )
        }
    }

    private func checkNotLive(
        _ pattern: HostPattern,
        _ holder: LiveHolder?,
        for tunnel: Tunnel,
        _ registry: Registry
    ) throws(ControlError) {
        switch holder {
        case nil: return
        case .tunnel(let id) where registry.tunnel(id)?.owner == tunnel.owner: return
        case .tunnel, .declared:
            throw ControlError(
                .inUse,
                "\(pattern) is served by connectors of another account now (`culvert http`, for one): it "
                    + "can be had when they have gone; choose another name, or try then"
            )
        }
    }
}
