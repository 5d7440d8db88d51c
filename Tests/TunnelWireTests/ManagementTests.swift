import HTTPSemantics
import NIOCore
import Testing
import TunnelWire

/// The payloads of CONFIGURATION and REPORT, byte for byte as Protocol.md lays them out.
@Suite struct ManagementTests {
    @Test func configuration() throws {
        let configuration = ManagedConfiguration(version: 0x0102, text: "ingress: ä\n")
        let payload = configuration.payload()
        #expect(payload.bytes == bytes("0000000000000102 696E67726573733A20C3A40A"))
        #expect(try ManagedConfiguration(payload: payload) == configuration)
        let none = ManagedConfiguration(version: 0, text: "")
        #expect(try ManagedConfiguration(payload: none.payload()) == none)
    }

    @Test(arguments: ["", "00000000000001", "0000000000000001 C328"])
    func aConfigurationThatDoesNotParse(hex: String) {
        let error = #expect(throws: WireError.self) {
            try ManagedConfiguration(payload: ByteBuffer(bytes: bytes(hex)))
        }
        #expect(error?.kind == .malformed)
    }

    @Test func report() throws {
        let report = ConnectorReport(
            configurationVersion: 7,
            configurationProblems: ["line 1", "line 2"],
            unhealthyHostnames: ["a.test", "*.b.test"]
        )
        #expect(try ConnectorReport(payload: report.payload()) == report)
        #expect(ConnectorReport().payload().readableBytes == 0)
        #expect(try ConnectorReport(payload: ByteBuffer()) == ConnectorReport())
    }

    @Test func aReportOfSomethingUnknownIsRead() throws {
        var payload = ByteBuffer()
        try FieldBlock.write(["mood": "good", "unhealthy": "a.test"], to: &payload)
        #expect(try ConnectorReport(payload: payload).unhealthyHostnames == ["a.test"])
    }

    @Test(arguments: ["", "-1", "1.5", "x", "18446744073709551616"])
    func aVersionThatIsNoNumberIsRefused(version: String) throws {
        var payload = ByteBuffer()
        try FieldBlock.write(["configuration-version": version], to: &payload)
        let error = #expect(throws: WireError.self) { try ConnectorReport(payload: payload) }
        #expect(error?.kind == .malformed)
    }

    /// What a connector writes the edge always reads: lines are cut, and what has no room is left out.
    @Test func aReportStaysWithinItsLimits() throws {
        let long = String(repeating: "ä", count: 9_000)
        let report = ConnectorReport(
            configurationVersion: .max,
            configurationProblems: Array(repeating: "two\nlines\r\n\0" + long, count: 100),
            unhealthyHostnames: (0..<5_000).map { "\(long.prefix(60))-\($0)" }
        )
        let payload = report.payload()
        #expect(payload.readableBytes <= WireLimits.sectionBytes)
        let read = try ConnectorReport(payload: payload)
        #expect(read.configurationVersion == .max)
        #expect(read.configurationProblems.count == 16)
        #expect(read.configurationProblems.allSatisfy { $0.hasPrefix("two lines") })
        #expect(read.unhealthyHostnames.count > 300)
        #expect(
            read.unhealthyHostnames.elementsEqual(
                report.unhealthyHostnames.prefix(read.unhealthyHostnames.count)
            )
        )
    }
}
