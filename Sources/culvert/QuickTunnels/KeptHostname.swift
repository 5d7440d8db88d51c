import ConfigurationFile
import ControlAPI
import ControlClient
import Crypto
import CulvertConnector
import Foundation
import HTTPSemantics

// The hostnames of `culvert http` that stay the account's when nobody serves them: they lead to the tunnel of a
// machine, `http-MACHINE`, and move to that of another one with the next `culvert http` there.
extension LoggedIn {
    /// How many names are tried for one that nobody else has.
    private static let attempts = 4

    /// The hostname to ask the edge for.
    ///
    /// - Parameters:
    ///   - asked: what a person said, a whole name or a label; nil for a name of the command's choice, which with
    ///     `isKept` is the same whenever this machine serves `service`.
    ///   - isKept: whether it stays the account's.
    ///   - service: what it is for.
    ///   - credentials: of this machine's tunnel.
    /// - Returns: a whole name where the edge's API answers, or what was said.
    /// - Throws: `Failure` when another tunnel of the account has it and is to keep it; `ControlClientError`.
    func hostname(
        _ asked: String?,
        isKept: Bool,
        for service: OriginService,
        _ credentials: Credentials
    ) async throws -> String {
        guard isKept else {
            guard let asked else { return await self.wholeName(RandomName.make()) }
            return try await self.taken(self.wholeName(asked), credentials)
        }
        if let asked { return try await self.kept(self.wholeName(asked), credentials) }
        var attempt = 0
        while true {
            let seed = "\(credentials.tunnelID ?? "")\n\(service)\n\(attempt)"
            let name = await self.wholeName(
                RandomName.make(from: SHA256.hash(data: Data(seed.utf8)))
            )
            do {
                return try await self.kept(name, credentials)
            } catch let error as ControlClientError where error.isTaken && attempt < Self.attempts {
                attempt += 1
            }
        }
    }

    /// A name as the edge knows it: one of a single label is below the edge's domain, or, for an account that was
    /// granted other names only, below the first of those.
    ///
    /// Without an answer of the edge's API it is left to the edge.
    private func wholeName(_ name: String) async -> String {
        guard !name.contains("."), !name.isEmpty,
            let (edge, account) = try? await self.withClient({ client in
                (try await client.edge(), try await client.account())
            })
        else { return name }
        if let suffixes = account.suffixes, let suffix = suffixes.first,
            !suffixes.contains(where: { $0 == edge.domain })
        {
            return "\(name).\(suffix)"
        }
        return edge.domain.map { "\(name).\($0)" } ?? name
    }

    /// Has a name lead to this machine's tunnel from now on.
    private func kept(_ name: String, _ credentials: Credentials) async throws -> String {
        guard let tunnel = credentials.tunnelID else { return name }
        let answer = try await self.reaching { client in
            do {
                let (_, isNew) = try await client.route(name, to: tunnel)
                if !isNew { try await self.noteSharing(of: name, tunnel, client) }
            } catch let error as ControlClientError where error.isProblem(.exists) {
                guard try await self.move(name, to: tunnel, client) else { throw error }
            }
            return try await client.edge()
        }
        guard let edge = answer else { return name }
        note(
            "\(printable(name)) stays yours, until `culvert tunnel route delete "
                + "\(printable(credentials.tunnelName)) \(printable(name))`."
        )
        let report = try await RecordDesk().settle(name, at: edge, replacing: false)
        if report.state != .covered { note(report.text) }
        return name
    }

    /// A name that may be kept already: by another machine's tunnel, then it comes here.
    private func taken(_ name: String, _ credentials: Credentials) async throws -> String {
        guard let tunnel = credentials.tunnelID else { return name }
        try await self.trying { client in
            guard try await !self.move(name, to: tunnel, client) else { return }
            try await self.noteSharing(of: name, tunnel, client)
        }
        return name
    }

    /// Says when another `culvert http` of this machine serves a name now.
    private func noteSharing(
        of name: String,
        _ tunnel: String,
        _ client: ControlClient
    ) async throws {
        guard let host = try? NormalizedHost(name).name else { return }
        let others = try await client.tunnel(tunnel).connectors.filter { $0.state == "connected" }
        guard others.contains(where: { $0.hostnames?.contains(host) == true }) else { return }
        note(
            "\(printable(host)) is served by another `culvert http` of this machine, too: its visitors are "
                + "shared out between the two."
        )
    }

    /// Says when another `culvert tcp` of this machine serves a port now.
    func noteSharing(ofPort port: Int, _ credentials: Credentials) async throws {
        guard port != 0, let tunnel = credentials.tunnelID else { return }
        try await self.trying { client in
            let others = try await client.tunnel(tunnel).connectors.filter {
                $0.state == "connected"
            }
            guard others.contains(where: { $0.tcpPorts?.contains(port) == true }) else { return }
            note(
                "Port \(port) is served by another `culvert tcp` of this machine, too: its visitors are shared "
                    + "out between the two, each with what it allows."
            )
        }
    }

    /// Does what nothing depends on: where the edge's API does not, the edge itself decides at login.
    private func trying(_ body: (ControlClient) async throws -> Void) async throws {
        do {
            try await self.withClient(body)
        } catch is ControlClientError {}
    }

    /// Moves a name here from another machine's tunnel.
    ///
    /// - Returns: whether it led to another tunnel of the account.
    /// - Throws: `Failure` when that is no machine's, or serves the name now.
    private func move(
        _ name: String,
        to tunnel: String,
        _ client: ControlClient
    ) async throws -> Bool {
        guard let host = try? NormalizedHost(name).name else { return false }
        let holder = try await client.tunnels().items.first { $0.hostnames.contains(host) }
        guard let holder, holder.id != tunnel else { return false }
        guard Self.isMachineTunnel(holder.name) else {
            throw Failure(
                "\(printable(host)) leads to your tunnel \(printable(holder.name)): serve that with "
                    + "`culvert tunnel run \(printable(holder.name)) --url …`, or take another name."
            )
        }
        let connectors = try await client.tunnel(holder.id).connectors
        guard !connectors.contains(where: { $0.hostnames?.contains(host) == true }) else {
            throw Failure(
                "\(printable(host)) is served by another machine of yours now, "
                    + "\(printable(holder.name)): stop it there first."
            )
        }
        _ = try await client.route(host, to: tunnel, HostnameChangeDocument(moves: true))
        return true
    }

    /// What the edge's API says; nil without an answer of it: connectors wait for their edge, and what was kept
    /// stays kept.
    private func reaching<Result>(
        _ body: (ControlClient) async throws -> Result
    ) async throws -> Result? {
        do {
            return try await self.withClient(body)
        } catch let error as ControlClientError {
            guard case .unreachable = error else { throw error }
            return nil
        }
    }
}

extension ControlClientError {
    /// Whether a name is somebody's, or the edge's.
    fileprivate var isTaken: Bool {
        self.isProblem(.exists) || self.isProblem(.forbidden) || self.isProblem(.inUse)
    }
}
