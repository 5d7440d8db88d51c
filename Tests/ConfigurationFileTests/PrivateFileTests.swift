import Foundation
import Testing

@testable import ConfigurationFile

/// Files with secrets, and where they are.
@Suite struct PrivateFileTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "p-\(UInt64.random(in: 0 ... .max))").path

    private func inFolder(_ body: (String) throws -> Void) throws {
        try ConfigurationDirectory(path: self.folder).create()
        defer { try? FileManager.default.removeItem(atPath: self.folder) }
        try body(self.folder + "/secret")
    }

    @Test func aFileIsItsOwnersAndWhole() throws {
        try self.inFolder { file in
            try PrivateFile.write(Data("one".utf8), to: file, replacing: false)
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            #expect(try PrivateFile.read(file, maximumBytes: 3) == Data("one".utf8))
            let error = #expect(throws: PrivateFile.Failure.self) {
                try PrivateFile.write(Data("two".utf8), to: file, replacing: false)
            }
            #expect(error?.reason == .exists)
            #expect(try PrivateFile.read(file, maximumBytes: 3) == Data("one".utf8))
            try PrivateFile.write(Data("two".utf8), to: file, replacing: true)
            #expect(try PrivateFile.read(file, maximumBytes: 3) == Data("two".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: self.folder) == ["secret"])
            try PrivateFile.remove(file)
            try PrivateFile.remove(file)
        }
    }

    @Test func whatCannotBeReadIsToldApart() throws {
        try self.inFolder { file in
            func reason(_ file: String, _ maximum: Int = 10) -> PrivateFile.Failure.Reason? {
                do throws(PrivateFile.Failure) {
                    _ = try PrivateFile.read(file, maximumBytes: maximum)
                    return nil
                } catch {
                    return error.reason
                }
            }
            #expect(reason(file) == .missing)
            #expect(reason(self.folder) == .notAFile)
            try PrivateFile.write(Data("secret".utf8), to: file, replacing: false)
            #expect(reason(file, 5) == .tooLarge)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
            #expect(reason(file) == .exposed(mode: 0o644))
            try PrivateFile.write(Data(), to: file, replacing: true)
            #expect(reason(file) == .empty)
        }
    }

    @Test func theDirectoryIsWhereTheEnvironmentSays() throws {
        #expect(ConfigurationDirectory(environment: ["HOME": "/h"]).path == "/h/.culvert")
        let environment = ["HOME": "/h", "CULVERT_HOME": "/c/"]
        #expect(ConfigurationDirectory(environment: environment).file("a") == "/c/a")
        #expect(
            ConfigurationDirectory(environment: ["HOME": "/h", "CULVERT_HOME": ""]).path
                == "/h/.culvert"
        )
        #expect(ConfigurationDirectory(path: "/").path == "/")
    }

    @Test func theDirectoryIsMadeForItsOwner() throws {
        let directory = ConfigurationDirectory(path: self.folder + "/a/b")
        defer { try? FileManager.default.removeItem(atPath: self.folder) }
        try directory.create()
        try directory.create()
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o700)
        let error = #expect(throws: PrivateFile.Failure.self) {
            try ConfigurationDirectory(path: "/proc/nowhere/x").create()
        }
        #expect(error?.file == "/proc/nowhere")
    }
}
