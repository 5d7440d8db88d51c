import Testing

@testable import CulvertDiagnostics

@Suite struct SystemFactsTests {
    @Test func theEnvironmentIsShownWithoutLogins() {
        let shown = SystemFacts.environment([
            "HTTPS_PROXY": "http://me:p@ss/word@proxy:3128", "no_proxy": "localhost",
            "CULVERT_TOKEN": "anything", "CULVERT_ENROLMENT": "cve_x", "CULVERT_HOME": "/h",
            "AWS_KEY": "not shown", "TZ": "UTC",
        ])
        #expect(
            shown == [
                "CULVERT_ENROLMENT=***", "CULVERT_HOME=/h", "CULVERT_TOKEN=***",
                "HTTPS_PROXY=***@proxy:3128", "TZ=UTC", "no_proxy=localhost",
            ]
        )
    }

    @Test func theMachineSaysWhatItIs() {
        let lines = SystemFacts.machine()
        #expect(lines.contains { $0.hasPrefix("kernel: Linux ") })
        #expect(lines.contains { $0.hasPrefix("MemTotal:") })
        let limits = SystemFacts.limits()
        #expect(limits.contains("Max open files") && limits.contains("open files: "))
        #expect(limits.contains("Threads: "))
    }
}
