import ConfigurationFile
import Foundation
import Testing

@testable import CulvertConnector

/// Credentials by the name of their tunnel.
@Suite struct CredentialsDirectoryTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "k-\(UInt64.random(in: 0 ... .max))").path

    private func inFolder(_ body: (CredentialsDirectory) throws -> Void) throws {
        let directory = ConfigurationDirectory(path: self.folder)
        try directory.create()
        defer { try? FileManager.default.removeItem(atPath: self.folder) }
        try body(CredentialsDirectory(directory))
    }

    private func make(_ name: String, id: String, in directory: CredentialsDirectory) throws {
        var credentials = Credentials(newFor: name)
        credentials.tunnelID = id
        try credentials.write(to: directory.file(ofTunnel: id))
    }

    @Test func byNameAndById() throws {
        try self.inFolder { directory in
            try self.make("demo", id: "id-1", in: directory)
            try self.make("other", id: "id-2", in: directory)
            try PrivateFile.write(
                Data("{}".utf8),
                to: self.folder + "/login.json",
                replacing: false
            )
            #expect(try directory.find("demo")?.file == directory.file(ofTunnel: "id-1"))
            #expect(try directory.find("id-2")?.credentials.tunnelName == "other")
            #expect(try directory.find("nope") == nil)
            #expect(try directory.find("../x") == nil)
            #expect(directory.all().map(\.credentials.tunnelName) == ["demo", "other"])
        }
    }

    @Test func twoOfANameAreToldApartById() throws {
        try self.inFolder { directory in
            try self.make("demo", id: "id-1", in: directory)
            try self.make("demo", id: "id-2", in: directory)
            let error = #expect(throws: CredentialsError.self) { try directory.find("demo") }
            let words = error?.description ?? ""
            #expect(words.contains("id-1.json") && words.contains("id-2.json"))
            #expect(try directory.find("id-1") != nil)
        }
    }

    @Test func theTunnelsOwnFileIsNotPassedOver() throws {
        try self.inFolder { directory in
            try PrivateFile.write(
                Data("{".utf8),
                to: directory.file(ofTunnel: "id-1"),
                replacing: false
            )
            #expect(throws: CredentialsError.self) { try directory.find("id-1") }
        }
    }

    @Test func aDirectoryThatIsNotThereHasNone() throws {
        let nowhere = CredentialsDirectory(ConfigurationDirectory(path: "/nowhere/at/all"))
        #expect(try nowhere.find("demo") == nil)
    }

    @Test func whatCreateAddsReadsBack() throws {
        try self.inFolder { directory in
            var made = Credentials(newFor: "demo", edge: HostPort(host: "a.test", port: 1))
            made.tunnelID = "id-1"
            made.edgeAddress = HostPort(host: "127.0.0.1", port: 2)
            made.caCertificates = "PEM"
            try made.write(to: directory.file(ofTunnel: "id-1"))
            #expect(try directory.find("demo")?.credentials == made)
        }
    }
}
