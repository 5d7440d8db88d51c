import ConfigurationFile
import Foundation
import Testing
import TunnelWire

@testable import CulvertConnector

/// The file that a connector keeps its edge's configuration in.
@Suite struct KeptConfigurationTests {
    private func withDirectory(_ test: (ConfigurationDirectory) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/kept-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try test(ConfigurationDirectory(path: path))
    }

    @Test(arguments: ["", "ingress:\n  - service: http_status:404\n", "# ä\n\n"])
    func whatWasWrittenIsRead(text: String) throws {
        try self.withDirectory { directory in
            let kept = KeptConfiguration(tunnel: "id", in: directory)
            #expect(try kept.read() == nil)
            for version in [7, .max] as [UInt64] {
                let configuration = ManagedConfiguration(version: version, text: text)
                try kept.write(configuration)
                #expect(try kept.read() == configuration)
            }
            let attributes = try FileManager.default.attributesOfItem(atPath: kept.file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test(arguments: ["", "ingress: []\n", "# Kept by culvert, as its edge sent it: version x\n"])
    func aDamagedOneIsNamed(text: String) throws {
        try self.withDirectory { directory in
            let kept = KeptConfiguration(tunnel: "id", in: directory)
            try directory.create()
            try PrivateFile.write(Data(text.utf8), to: kept.file, replacing: true)
            let error = #expect(throws: PrivateFile.Failure.self) { try kept.read() }
            #expect(error?.file == kept.file)
        }
    }

    @Test func oneThatCannotBeWrittenIsNamed() throws {
        try self.withDirectory { directory in
            let kept = KeptConfiguration(tunnel: "a/b", in: directory)
            #expect(throws: PrivateFile.Failure.self) {
                try kept.write(ManagedConfiguration(version: 1, text: ""))
            }
        }
    }
}
