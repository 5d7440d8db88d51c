import Foundation

/// Where the programs are that the tests run.
enum Programs {
    /// The culvert to test: `CULVERT`, or the one built beside this test bundle.
    static let culvert: String = {
        if let path = ProcessInfo.processInfo.environment["CULVERT"] { return path }
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/culvert"
    }()

    /// Debian's, which has python3-websockets.
    static let python = "/usr/bin/python3"

    /// One of the Python programs beside these tests.
    static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Programs/\(name)").path
    }
}
