import Testing

@testable import CulvertConnector

@Suite(.timeLimit(.minutes(1)))
struct TCPExchangeMachineTests {
    private func carrying() -> TCPExchangeMachine {
        var machine = TCPExchangeMachine()
        machine.attached()
        machine.switched()
        return machine
    }

    @Test func originEndsFirst() {
        var machine = self.carrying()
        #expect(machine.originEnded() == .close)
        #expect(machine.payload() == .write, "its other half is open")
        #expect(!machine.isAnswerOpen && !machine.hasClosed)
        #expect(machine.visitorClosed() == .endOutput)
        #expect(machine.hasClosed && !machine.isOver, "until the origin has taken everything")
        #expect(machine.payload() == .discard)
        #expect(machine.originLost(inOrder: true) == .end)
        #expect(!machine.isOver, "the stream itself goes on")
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.isOver)
    }

    @Test func visitorClosesFirst() {
        var machine = self.carrying()
        #expect(machine.visitorClosed() == .endOutput)
        #expect(machine.isAnswerOpen, "the origin's rest goes out")
        #expect(machine.payload() == .discard)
        #expect(machine.streamEnded() == .nothing)
        #expect(!machine.isOver)
        #expect(machine.originEnded() == .nothing, "it may not have taken everything yet")
        #expect(machine.originLost(inOrder: true) == .closeAndEnd(1000))
        #expect(machine.isOver)
    }

    @Test func theStreamEndsWithoutAClose() {
        var machine = self.carrying()
        #expect(machine.streamEnded() == .endOutput)
        #expect(machine.originLost(inOrder: false) == .closeAndEnd(1011))
        #expect(machine.isOver)
    }

    @Test func theOriginBreaksOff() {
        var machine = self.carrying()
        #expect(machine.originLost(inOrder: false) == .closeAndEnd(1011))
        #expect(machine.payload() == .discard)
        #expect(machine.visitorClosed() == .nothing)
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.isOver)
    }

    @Test func theOriginIsLostAfterItsEnd() {
        var machine = self.carrying()
        #expect(machine.originEnded() == .close)
        #expect(machine.originLost(inOrder: false) == .giveUp, "what the visitor sent is lost")
        #expect(machine.payload() == .discard)
    }

    @Test func whatTheVisitorSentIsNotTaken() {
        var machine = self.carrying()
        #expect(machine.originEnded() == .close)
        #expect(machine.visitorClosed() == .endOutput)
        #expect(machine.originLost(inOrder: false) == .giveUp)
        machine = self.carrying()
        #expect(machine.visitorClosed() == .endOutput)
        #expect(machine.originEnded() == .nothing)
        #expect(machine.originLost(inOrder: false) == .closeAndEnd(1011))
    }

    @Test func theVisitorBreaksTheProtocol() {
        var machine = self.carrying()
        #expect(machine.broke() == true)
        #expect(machine.broke() == false, "Close is said once")
        #expect(machine.originEnded() == .nothing)
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.isOver)
    }

    @Test func theVisitorLeavesBeforeTheAnswer() {
        var machine = TCPExchangeMachine()
        #expect(machine.payload() == .hold)
        #expect(machine.streamEnded() == .giveUp)
    }

    @Test func anotherAnswerThan101() {
        var machine = TCPExchangeMachine()
        machine.answeredOtherwise()
        #expect(!machine.isAnswerOpen && machine.payload() == .discard)
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.isOver)
    }

    @Test func aCloseDuringTheSOCKSHandshake() {
        var machine = TCPExchangeMachine()
        machine.switched()
        #expect(machine.payload() == .hold)
        #expect(machine.visitorClosed() == .close(1000))
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.isOver)
    }

    @Test func anOriginMayTakeItsTime() {
        var machine = self.carrying()
        #expect(machine.silenceLimit == nil, "both sides are open")
        #expect(machine.visitorClosed() == .endOutput)
        #expect(machine.silenceLimit == nil, "it is the origin that is waited for")
        #expect(machine.visitorWasSilent() == false)
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.silenceLimit == nil)
        #expect(machine.originEnded() == .nothing)
        #expect(machine.originLost(inOrder: true) == .closeAndEnd(1000))
        #expect(machine.silenceLimit == nil && machine.isOver)
    }

    @Test func aVisitorMayNot() {
        var machine = self.carrying()
        #expect(machine.originEnded() == .close)
        #expect(machine.silenceLimit == TCPLimits.silenceTime)
        #expect(machine.visitorWasSilent() == true)
        machine = self.carrying()
        #expect(machine.originEnded() == .close)
        #expect(machine.visitorClosed() == .endOutput)
        #expect(machine.silenceLimit == nil, "the origin takes what was sent")
        #expect(machine.originLost(inOrder: true) == .end)
        #expect(machine.silenceLimit == TCPLimits.restTime)
        #expect(machine.visitorWasSilent() == true)
        #expect(machine.streamEnded() == .nothing)
    }
}
