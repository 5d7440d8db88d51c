import Foundation
import Testing

@testable import StatusServer

@Suite("Process metrics")
struct ProcessMetricsTests {
    @Test("This process, within reason")
    func real() throws {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry)
        let read = try Exposition(registry.render())
        let resident = try #require(read["process_resident_memory_bytes"])
        #expect(resident > 1_000_000)
        #expect(try #require(read["process_virtual_memory_bytes"]) >= resident)
        #expect(try #require(read["process_cpu_seconds_total"]) >= 0)
        #expect(try #require(read["process_open_fds"]) >= 3)
        #expect(try #require(read["process_max_fds"]) >= 3)
        let start = try #require(read["process_start_time_seconds"])
        let now = Date().timeIntervalSince1970
        #expect(start > now - 86_400 && start < now + 60)
    }

    @Test("A command's name with spaces and parentheses does not shift the fields")
    func name() throws {
        let line =
            "42 (a) b (c)) S 1 1 1 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 4 0 12345 8192 3 0 0\n"
        let status = try #require(ProcessStatus(line, ticksPerSecond: 100, pageBytes: 4_096))
        #expect(status.cpuSeconds == 3)
        #expect(status.startSeconds == 123.45)
        #expect(status.virtualBytes == 8_192)
        #expect(status.residentBytes == 12_288)
    }

    @Test("What is no such line is nil", arguments: ["", ")", "1 (a) S 1 2", "1 (a) S x x x"])
    func malformed(line: String) {
        #expect(ProcessStatus(line, ticksPerSecond: 100, pageBytes: 4_096) == nil)
    }
}
