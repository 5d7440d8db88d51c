package import ConfigurationFile
import Foundation

/// A login at an edge, as `culvert login` leaves it in `login.json`.
package struct Login: Sendable, Equatable {
    package var edge: EdgeURL
    /// `cvs_…`. A secret.
    package var token: String
    /// The name of the account.
    package var account: String
    /// An absolute path, as in ``ControlClient/Options``.
    package var caFile: String?
    /// As in ``ControlClient/Options``; connectors dial there, too.
    package var edgeAddress: HostPort?

    package init(
        edge: EdgeURL,
        token: String,
        account: String,
        caFile: String? = nil,
        edgeAddress: HostPort? = nil
    ) {
        self.edge = edge
        self.token = token
        self.account = account
        self.caFile = caFile
        self.edgeAddress = edgeAddress
    }
}

extension Login: CustomStringConvertible, CustomReflectable {
    /// Without the token: what is logged is lost.
    package var description: String { "login of \(self.account) at \(self.edge)" }

    package var customMirror: Mirror {
        Mirror(self, children: ["edge": "\(self.edge)", "account": self.account])
    }
}

/// Why the login that is kept cannot be used, for a person.
package struct LoginFileError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
}

extension Login {
    private static let fileName = "login.json"
    private static let maximumFileBytes = 64 * 1024

    /// The file's contents.
    private struct Contents: Codable {
        var edge: String
        var token: String
        var account: String
        var caFile: String?
        var edgeAddress: String?

        enum CodingKeys: String, CodingKey {
            case edge, token, account
            case caFile = "ca-file"
            case edgeAddress = "edge-address"
        }
    }

    /// The path of the file in a directory.
    package static func file(in directory: ConfigurationDirectory) -> String {
        directory.file(Self.fileName)
    }

    /// Reads the login that a directory has; nil when there is none.
    ///
    /// - Throws: why the file cannot be used; never a part of it.
    package init?(in directory: ConfigurationDirectory) throws(LoginFileError) {
        let file = Self.file(in: directory)
        let data: Data
        do {
            data = try PrivateFile.read(file, maximumBytes: Self.maximumFileBytes)
        } catch {
            guard error.reason != .missing else { return nil }
            throw LoginFileError(description: "\(error)")
        }
        guard let contents = try? JSONDecoder().decode(Contents.self, from: data),
            let edge = try? EdgeURL(contents.edge)
        else {
            throw LoginFileError(
                description: "\(file) is damaged: run `culvert login https://…` to make it anew."
            )
        }
        let address = contents.edgeAddress.map { try? HostPort($0) }
        guard address != .some(nil) else {
            throw LoginFileError(
                description: "\(file): edge-address is not HOST:PORT; run `culvert login` again."
            )
        }
        self.init(
            edge: edge,
            token: contents.token,
            account: contents.account,
            caFile: contents.caFile,
            edgeAddress: address.flatMap { $0 }
        )
    }

    /// Keeps the login in a directory, which is made when it is missing, in place of one that is there.
    ///
    /// - Throws: why it cannot be kept; the one before is there then.
    package func write(in directory: ConfigurationDirectory) throws(LoginFileError) {
        let contents = Contents(
            edge: "\(self.edge)",
            token: self.token,
            account: self.account,
            caFile: self.caFile,
            edgeAddress: self.edgeAddress?.description
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            let data = try encoder.encode(contents) + Data("\n".utf8)
            try directory.create()
            try PrivateFile.write(data, to: Self.file(in: directory), replacing: true)
        } catch {
            throw LoginFileError(description: "\(error)")
        }
    }

    /// Makes sure that a login can be kept in a directory: makes it, and writes a file as large as one may be.
    ///
    /// - Throws: why none can be kept.
    package static func rehearse(in directory: ConfigurationDirectory) throws(LoginFileError) {
        let file = Self.file(in: directory) + ".rehearsal"
        do {
            try directory.create()
            let data = Data(repeating: 0x20, count: Self.maximumFileBytes)
            try PrivateFile.write(data, to: file, replacing: true)
            try PrivateFile.remove(file)
        } catch {
            throw LoginFileError(description: "\(error)")
        }
    }

    /// Forgets the login that a directory has.
    ///
    /// - Throws: why the file is still there.
    package static func remove(in directory: ConfigurationDirectory) throws(LoginFileError) {
        do {
            try PrivateFile.remove(Self.file(in: directory))
        } catch {
            throw LoginFileError(description: "\(error)")
        }
    }
}
