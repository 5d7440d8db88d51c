import Foundation
import Testing

@testable import CulvertDiagnostics

@Suite struct ZipArchiveTests {
    private func run(_ program: String, _ arguments: [String]) throws -> (Int32, String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    @Test func theSumIsThatOfTheStandard() {
        #expect(ZipArchive.crc32(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(ZipArchive.crc32([]) == 0)
    }

    @Test(.timeLimit(.minutes(1)))
    func othersReadIt() throws {
        var archive = ZipArchive(moment: Date(timeIntervalSince1970: 1_800_000_000))
        let random = (0..<70_000).map { _ in UInt8.random(in: 0...255) }
        try archive.add("empty.txt", [])
        try archive.add("folder/grüße.txt", Array("hello\n".utf8))
        try archive.add("random", random)
        let file = NSTemporaryDirectory() + "culvert-\(UUID().uuidString).zip"
        try Data(archive.bytes).write(to: URL(fileURLWithPath: file))
        defer { unlink(file) }
        let tested = try self.run("/usr/bin/unzip", ["-t", file])
        #expect(tested.0 == 0 && tested.1.contains("No errors"), "\(tested.1)")
        let program = """
            import sys, zipfile
            z = zipfile.ZipFile(sys.argv[1])
            assert z.testzip() is None
            for i in z.infolist():
                print(i.filename, i.file_size, oct(i.external_attr >> 16), i.date_time[0], sep="|")
            print(z.read("random").hex())
            """
        let read = try self.run("/usr/bin/python3", ["-c", program, file])
        let lines = read.1.split(separator: "\n")
        #expect(
            lines.prefix(3) == [
                "empty.txt|0|0o100600|2027", "folder/grüße.txt|6|0o100600|2027",
                "random|70000|0o100600|2027",
            ],
            "\(read.1.prefix(500))"
        )
        let hex = random.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(lines.last.map(String.init) == hex)
    }

    @Test func tooManyFilesAreRefused() throws {
        var archive = ZipArchive()
        for number in 0..<0xFFFF { try archive.add("\(number)", []) }
        #expect(throws: ZipArchive.TooLarge.self) { try archive.add("one more", []) }
    }
}
