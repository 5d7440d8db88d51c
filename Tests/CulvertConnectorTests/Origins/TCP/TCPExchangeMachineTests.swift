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
        #expect(machine.originEnded() == .close(1000))
        #expect(machine.payload() == .write, "its other half is open")
        #expect(machine.isHalfOver && !machine.hasClosed)
        #expect(machine.visitorClosed() == .leave)
        #expect(machine.hasClosed && !machine.isOver, "the stream itself goes on")
        #expect(machine.payload() == .discard)
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
        #expect(machine.originEnded() == .closeAndLeave(1000))
        #expect(machine.isOver)
    }

    @Test func theStreamEndsWithoutAClose() {
        var machine = self.carrying()
        #expect(machine.streamEnded() == .endOutput)
        #expect(machine.originLost() == .closeAndLeave(1011))
        #expect(machine.isOver)
    }

    @Test func theOriginBreaksOff() {
        var machine = self.carrying()
        #expect(machine.originLost() == .closeAndLeave(1011))
        #expect(machine.payload() == .discard)
        #expect(machine.visitorClosed() == .nothing)
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.isOver)
    }

    @Test func theOriginIsLostAfterItsEnd() {
        var machine = self.carrying()
        #expect(machine.originEnded() == .close(1000))
        #expect(machine.originLost() == .nothing)
        #expect(machine.payload() == .discard)
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.isOver)
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

    @Test func silenceAfterOneEnd() {
        var machine = self.carrying()
        #expect(machine.timedOut() == .nothing, "both sides are open: no limit")
        #expect(machine.visitorClosed() == .endOutput)
        #expect(machine.timedOut() == .leave(1011))
        #expect(machine.timedOut() == .giveUp)
        #expect(machine.streamEnded() == .nothing)
        #expect(machine.timedOut() == .nothing)
    }
}
