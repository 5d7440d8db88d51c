import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertConnector
import Foundation

// The tunnel of `culvert http`: one for each machine.
extension LoggedIn {
    /// `http-` and the machine's name, in letters that a tunnel's name may have.
    private static var machineTunnelName: String {
        let name = machineName().map { letter in
            letter.isASCII && (letter.isLetter || letter.isNumber || ".-_".contains(letter))
                ? letter : "-"
        }
        return String("http-\(String(name))".prefix(64))
    }

    /// Whether a tunnel is the one of some machine, by its name.
    static func isMachineTunnel(_ name: String) -> Bool { name.hasPrefix("http-") }

    /// The credentials of this machine's tunnel: made on first use, and again when the edge knows the
    /// tunnel no more. A tunnel whose credentials were lost here gets another key.
    ///
    /// Without an answer of the edge's API those kept here will do: connectors wait for their edge.
    func machineCredentials() async throws -> Credentials {
        do {
            return try await self.knownCredentials()
        } catch let error as ControlClientError {
            guard case .unreachable = error else { throw error }
            let name = Self.machineTunnelName
            let kept = self.credentials.all().filter { $0.credentials.tunnelName == name }
            guard kept.count == 1, let credentials = kept.first?.credentials else { throw error }
            note("\(error)\nGoing on with the tunnel that this machine had there.")
            return credentials
        }
    }

    private func knownCredentials() async throws -> Credentials {
        try await self.withClient { client in
            let edge = try await client.edge()
            let name = Self.machineTunnelName
            if let kept = try await self.keptCredentials(of: name, at: edge, client) { return kept }
            do {
                return try await self.createTunnel(name, at: edge, client).credentials
            } catch let error as ControlClientError where error.isProblem(.exists) {
                return try await self.anotherKey(for: client.tunnel(name), at: edge, client)
            }
        }
    }

    private func keptCredentials(
        of name: String,
        at edge: EdgeDocument,
        _ client: ControlClient
    ) async throws -> Credentials? {
        let address = try? HostPort(edge.connect, defaultPort: 443)
        let kept = self.credentials.all().filter {
            $0.credentials.tunnelName == name && $0.credentials.edge == address
        }
        for (file, credentials) in kept {
            guard let id = credentials.tunnelID else { continue }
            // Nil for one that was deleted, or is another account's.
            guard let tunnel = try await self.tunnel(id, client) else { continue }
            let key = credentials.publicKey.base64EncodedString()
            if tunnel.keys.contains(where: { $0.publicKey == key }) { return credentials }
            // The edge knows this key no more, and another is to be written in its place.
            try? PrivateFile.remove(file)
        }
        return nil
    }

    private func tunnel(
        _ id: String,
        _ client: ControlClient
    ) async throws(ControlClientError) -> TunnelDocument? {
        do {
            return try await client.tunnel(id)
        } catch {
            guard error.isUnknown else { throw error }
            return nil
        }
    }

    private func anotherKey(
        for tunnel: TunnelDocument,
        at edge: EdgeDocument,
        _ client: ControlClient
    ) async throws -> Credentials {
        var credentials = try self.newCredentials(for: tunnel.name, at: edge)
        credentials.tunnelID = tunnel.id
        let key = NewKeyDocument(
            publicKey: credentials.publicKey.base64EncodedString(),
            label: "culvert http of \(machineName())"
        )
        _ = try await client.addKey(key, to: tunnel.id)
        do {
            try credentials.write(to: self.credentialsFile(of: tunnel))
        } catch {
            throw Failure("\(error)")
        }
        return credentials
    }
}
