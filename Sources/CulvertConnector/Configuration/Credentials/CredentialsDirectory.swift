package import ConfigurationFile
import Foundation

/// The credentials files of a directory, as `culvert tunnel create` leaves them: `ID.json`.
package struct CredentialsDirectory: Sendable {
    private let directory: ConfigurationDirectory

    package init(_ directory: ConfigurationDirectory) { self.directory = directory }

    /// The path of a tunnel's file, which need not exist.
    package func file(ofTunnel id: String) -> String { self.directory.file("\(id).json") }

    /// The file with the credentials of a tunnel, by its name or id; nil when there is none.
    ///
    /// Files that are none, or cannot be read, are passed over, but for the tunnel's own.
    ///
    /// - Throws: what is wrong with that, or which files there are when there is more than one.
    package func find(
        _ tunnel: String
    ) throws(CredentialsError) -> (file: String, credentials: Credentials)? {
        let own = self.file(ofTunnel: tunnel)
        if !tunnel.contains("/"), FileManager.default.fileExists(atPath: own) {
            return (own, try Credentials(file: own))
        }
        let found = self.all().filter { $0.credentials.tunnelName == tunnel }
        guard found.count <= 1 else {
            let files = found.map(\.file).joined(separator: ", ")
            throw CredentialsError(
                file: self.directory.path,
                message:
                    "there are credentials of several tunnels \(tunnel): \(files). Say which by "
                    + "its id, or name the file with --cred-file"
            )
        }
        return found.first
    }

    /// Why files that may be credentials are passed over: others than their owner may read them.
    package var exposed: [PrivateFile.Failure] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: self.directory.path)
        return (names ?? []).sorted().filter { $0.hasSuffix(".json") && $0 != "login.json" }
            .compactMap { name in
                do throws(PrivateFile.Failure) {
                    _ = try PrivateFile.read(self.directory.file(name), maximumBytes: 256 << 10)
                    return nil
                } catch {
                    if case .exposed = error.reason { return error }
                    return nil
                }
            }
    }

    /// What is wrong with files that are a tunnel's by their names, which are ids, and have no credentials in
    /// them.
    package var damaged: [CredentialsError] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: self.directory.path)
        return (names ?? []).sorted().compactMap { name in
            guard name.hasSuffix(".json"), UUID(uuidString: String(name.dropLast(5))) != nil else {
                return nil
            }
            do throws(CredentialsError) {
                _ = try Credentials(file: self.directory.file(name))
                return nil
            } catch {
                return error
            }
        }
    }

    /// Every credentials file that can be read, in the order of their names.
    package func all() -> [(file: String, credentials: Credentials)] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: self.directory.path)
        return (names ?? []).sorted().filter { $0.hasSuffix(".json") }.compactMap { name in
            let file = self.directory.file(name)
            guard let credentials = try? Credentials(file: file) else { return nil }
            return (file, credentials)
        }
    }
}
