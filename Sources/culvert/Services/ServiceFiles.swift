import ConfigurationFile
import Foundation

/// A service's files, below the root of the machine that it is installed on.
struct ServiceFiles {
    /// `/`, or the folder that becomes one.
    let root: String
    let name: ServiceName

    /// As the service sees them.
    var tokenFile: String { "/etc/culvert/\(self.name.text).token" }
    private var unitFile: String { "/etc/systemd/system/\(self.name.unit)" }
    private var socketFile: String { "/etc/systemd/system/\(self.name.socketUnit)" }

    /// Whether this is the machine itself.
    var isHere: Bool { self.prefix.isEmpty }

    private var prefix: String {
        let path = URL(fileURLWithPath: self.root).standardizedFileURL.path
        return path == "/" ? "" : path
    }

    /// Where a file of that machine is on this one.
    func here(_ file: String) -> String { self.prefix + file }

    /// What a file of this machine is called on that one.
    func there(_ file: String) -> String {
        guard !self.isHere, file.hasPrefix(self.prefix + "/") else { return file }
        return String(file.dropFirst(self.prefix.utf8.count))
    }

    /// Those that exist.
    var existing: [String] {
        [self.tokenFile, self.unitFile, self.socketFile].map(self.here).filter {
            FileManager.default.fileExists(atPath: $0)
        }
    }

    /// Writes the units with mode 0644 and the token with 0600; those that are not needed are not left there.
    ///
    /// - Throws: `Failure`; the token is not left behind without its unit.
    func write(_ unit: ServiceUnit, token: String?, replacing: Bool) throws {
        do {
            for file in [self.tokenFile, self.unitFile] {
                let folder = URL(fileURLWithPath: self.here(file)).deletingLastPathComponent()
                try FileManager.default.createDirectory(
                    at: folder,
                    withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o755]
                )
            }
            if let token {
                try PrivateFile.write(
                    Data((token + "\n").utf8),
                    to: self.here(self.tokenFile),
                    replacing: replacing
                )
            } else {
                // Of the service that is replaced, which nobody needs any more.
                try PrivateFile.remove(self.here(self.tokenFile))
            }
            do {
                try self.writePublic(unit.text, to: self.unitFile)
                if let socket = unit.socket {
                    try self.writePublic(socket.text, to: self.socketFile)
                } else {
                    try PrivateFile.remove(self.here(self.socketFile))
                }
            } catch {
                if token != nil { try PrivateFile.remove(self.here(self.tokenFile)) }
                throw error
            }
        } catch let failure as PrivateFile.Failure {
            throw Failure("\(failure)")
        } catch {
            throw Failure("The service cannot be written: \(error.localizedDescription)")
        }
    }

    private func writePublic(_ text: String, to name: String) throws {
        let file = self.here(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
    }

    /// Removes them all.
    ///
    /// - Throws: `Failure` naming the one that is still there.
    func remove() throws {
        do {
            for file in self.existing { try PrivateFile.remove(file) }
        } catch {
            throw Failure("\(error)")
        }
    }
}
