package import Foundation
package import HTTPSemantics

/// Decides who may do what, over a registry: the answer is a transaction for the store, or why not.
/// Pure; the time comes in as an argument.
package struct ControlPolicy: Sendable {
    /// The names of the edge itself: where connectors dial, the API.
    package var reserved: [NormalizedHost]
    /// Hostnames that the configuration file gives away.
    package var declared: [HostPattern]
    /// Suffixes below which many accounts have names, such as the edge's domain: only an admin's tunnel can have
    /// the wildcard over one, which would take every name that nobody has yet.
    package var shared: [NormalizedHost]

    package init(
        reserved: [NormalizedHost],
        declared: [HostPattern] = [],
        shared: [NormalizedHost] = []
    ) {
        self.reserved = reserved
        self.declared = declared
        self.shared = shared
    }

    /// Who asks for something, and when.
    package struct Request: Sendable {
        package var actor: AuditEntry.Actor
        /// The account's name, for the audit trail; nil for the operator.
        package var name: String?
        package var now: Date

        package init(_ actor: AuditEntry.Actor, named name: String? = nil, at now: Date) {
            self.actor = actor
            self.name = name
            self.now = now
        }

        func audit(
            _ action: String,
            _ subject: String,
            _ details: [String: String] = [:]
        ) -> StoreTransaction {
            StoreTransaction(
                audit: AuditEntry(
                    at: self.now,
                    actor: self.actor,
                    actorName: self.name,
                    action: action,
                    subject: subject,
                    details: details
                )
            )
        }
    }

    // MARK: Who

    func requireAdmin(_ request: Request, _ registry: Registry) throws(ControlError) {
        guard case .account(let id) = request.actor else { return }
        guard registry.account(id)?.role == .admin else {
            throw ControlError(.forbidden, "only an admin may do that")
        }
    }

    func requireOwner(
        _ id: AccountID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> Account {
        guard let owner = registry.account(id) else {
            throw ControlError(.unknown, "there is no such account")
        }
        if request.actor != .account(id) { try self.requireAdmin(request, registry) }
        return owner
    }

    /// The tunnel, if whoever asks may know of it.
    func requireTunnel(
        _ id: TunnelID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> Tunnel {
        let unknown = ControlError(.unknown, "there is no such tunnel")
        guard let tunnel = registry.tunnel(id) else { throw unknown }
        if request.actor == .account(tunnel.owner) { return tunnel }
        do {
            try self.requireAdmin(request, registry)
        } catch {
            throw unknown
        }
        return tunnel
    }

    /// A tunnel as everybody's are told apart: two accounts may have one of the same name.
    static func title(of tunnel: Tunnel, _ registry: Registry) -> String {
        "\(registry.account(tunnel.owner)?.name ?? "\(tunnel.owner)")/\(tunnel.name)"
    }

    static func checkName(_ name: String) throws(ControlError) {
        guard Account.isName(name) else {
            throw ControlError(
                .invalid,
                "\"\(name)\" is no name: 1 to 64 letters, digits, and . _ - @ are"
            )
        }
    }
}
