package import ConfigurationFile
internal import Foundation
package import TunnelWire

/// The file in which a connector keeps the last configuration of its edge that it could run, to start with
/// when the edge does not answer at once: the text as it came, below a line with its version.
package struct KeptConfiguration: Sendable, Equatable {
    private static let prefix = "# Kept by culvert, as its edge sent it: version "
    private static let maximumBytes = ManagedConfiguration.maximumTextBytes + 200

    /// The file's path; the file need not exist.
    package let file: String
    private let directory: ConfigurationDirectory

    /// The file of a tunnel, by its id, in a directory that is made when it is needed.
    package init(tunnel id: String, in directory: ConfigurationDirectory) {
        self.directory = directory
        self.file = directory.file("\(id).ingress.yml")
    }

    /// What was kept; nil when nothing was.
    ///
    /// - Throws: why it cannot be read, or that it is not what this writes.
    package func read() throws(PrivateFile.Failure) -> ManagedConfiguration? {
        let data: Data
        do {
            data = try PrivateFile.read(self.file, maximumBytes: Self.maximumBytes)
        } catch {
            guard error.reason == .missing else { throw error }
            return nil
        }
        guard let text = String(data: data, encoding: .utf8), text.hasPrefix(Self.prefix),
            let end = text.firstIndex(of: "\n"),
            let version = UInt64(text[..<end].dropFirst(Self.prefix.count))
        else {
            throw PrivateFile.Failure(
                file: self.file,
                reason: .system,
                message: "is damaged: its first line is not the one that culvert writes"
            )
        }
        return ManagedConfiguration(
            version: version,
            text: String(text[text.index(after: end)...])
        )
    }

    /// Keeps a configuration, in the place of an earlier one, whole or not at all.
    ///
    /// - Throws: why it cannot be written.
    package func write(_ configuration: ManagedConfiguration) throws(PrivateFile.Failure) {
        try self.directory.create()
        let text = "\(Self.prefix)\(configuration.version)\n\(configuration.text)"
        try PrivateFile.write(Data(text.utf8), to: self.file, replacing: true)
    }
}
