internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import Logging

/// What the routes work with: the registry to look into, and the way to change it.
struct ControlDesk: Sendable {
    let control: Control
    let settings: ControlSettings
    let presence: any TunnelPresence
    let devices = DeviceDesk()
    let uses = SessionUses()
    let troubles: StoreTroubles
    let now: @Sendable () -> Date
    let logger: Logger

    var policy: ControlPolicy { self.settings.policy }

    /// Everything there is.
    var registry: Registry { get async { await self.control.registry } }

    /// Who has this token, whose use is kept; nil when it is not good.
    func identity(of text: some StringProtocol) async -> ControlContext.Identity? {
        guard let token = TokenText(String(text)), token.purpose == .session else { return nil }
        let registry = await self.registry
        guard let kept = registry.token(token.id), token.proves(kept, at: self.now()),
            let account = registry.account(kept.account)
        else { return nil }
        await self.noteUse(of: kept)
        return ControlContext.Identity(account: account, token: token.id)
    }

    /// Makes a change for an account.
    ///
    /// - Throws: `APIProblem`.
    func change(
        _ identity: ControlContext.Identity,
        _ decide:
            @escaping @Sendable (ControlPolicy.Request, Registry) throws(ControlError) ->
            StoreTransaction
    ) async throws(APIProblem) {
        let account = identity.account
        let request = ControlPolicy.Request(
            .account(account.id),
            named: account.name,
            at: self.now()
        )
        try await self.change { registry throws(ControlError) in try decide(request, registry) }
    }

    /// Makes a change that is decided over the registry.
    ///
    /// - Throws: `APIProblem`.
    func change(
        _ decide: @escaping @Sendable (Registry) throws(ControlError) -> StoreTransaction
    ) async throws(APIProblem) {
        do {
            try await self.control.change(decide)
        } catch let error as ControlError {
            throw APIProblem(error)
        } catch let error as StoreError {
            throw self.troubles.problem(error, at: self.now())
        } catch {
            throw APIProblem(.unavailable, "the change was given up; try again")
        }
    }

    /// The tunnel that a path names: an id, the name of one's own, or an admin's `ACCOUNT/NAME`.
    ///
    /// - Throws: `unknown`, also for what the account may not know of.
    func tunnel(
        _ name: String,
        of identity: ControlContext.Identity,
        _ registry: Registry
    ) throws(APIProblem) -> Tunnel {
        let account = identity.account
        var found = registry.tunnel(named: name, of: account.id)
        if found == nil, let id = UUID(uuidString: name) { found = registry.tunnel(TunnelID(id)) }
        if found == nil, let slash = name.firstIndex(of: "/") {
            found = registry.account(named: String(name[..<slash])).flatMap {
                registry.tunnel(named: String(name[name.index(after: slash)...]), of: $0.id)
            }
        }
        guard let found, account.role == .admin || found.owner == account.id else {
            throw APIProblem(
                .unknown,
                "there is no tunnel \"\(name)\"; `culvert tunnel list` shows those there are"
            )
        }
        return found
    }
}

extension APIProblem {
    init(_ error: ControlError) {
        let code: Code =
            switch error.code {
            case .invalid: .invalid
            case .unknown: .unknown
            case .exists: .exists
            case .forbidden: .forbidden
            case .overQuota: .overQuota
            case .conflict: .conflict
            case .inUse: .inUse
            }
        self.init(code, error.message)
    }
}
