from streamer.chat import GONE_S, ChatBoard
from streamer.messages.chat_status import ChatReport, ChatState
from tests.fakes import HandClock


def test_the_latest_report_with_its_age():
    clock = HandClock()
    board = ChatBoard(clock)
    assert board.read() is None
    board.hear(ChatReport(ChatState.CONNECTING, "", "", "mara", "twitch"))
    board.hear(ChatReport(ChatState.CONNECTED, "all well", "dreambot", "mara", "twitch"))
    clock.advance(12)
    assert board.read() == ChatReport(ChatState.CONNECTED, "all well", "dreambot", "mara", "twitch", 12, since_s=12)


def test_who_is_silent_is_gone_and_may_come_back():
    clock = HandClock()
    board = ChatBoard(clock)
    report = ChatReport(ChatState.CONNECTED, "", "dreambot", "mara", "twitch")
    board.hear(report)
    clock.advance(GONE_S - 0.1)
    assert board.read().state is ChatState.CONNECTED
    clock.advance(0.1)
    assert board.read() == ChatReport(ChatState.GONE, "", "dreambot", "mara", "twitch", GONE_S)
    board.hear(report)
    assert board.read() == report


def test_its_texts_are_cleaned():
    board = ChatBoard(HandClock())
    board.hear(ChatReport(ChatState.OFFLINE, "a\u202eb\x00c\n" + "d" * 300, "\u200bbot", "ma\tra", "twitch"))
    told = board.read()
    assert (told.detail, told.account, told.channel) == (("abc " + "d" * 300)[:100], "bot", "ma ra")


def test_since_when_it_stands_so_and_when_the_last_message_came():
    clock = HandClock()
    board = ChatBoard(clock)
    well = ChatReport(ChatState.CONNECTED, "", "dreambot", "mara", "twitch", heard_s=3.0)
    board.hear(ChatReport(ChatState.CONNECTING, "", "", "mara", "twitch"))
    clock.advance(5)
    board.hear(well)
    clock.advance(10)
    board.hear(well)
    clock.advance(2)
    assert (board.read().since_s, board.read().heard_s) == (12, 5)
    clock.advance(GONE_S)
    assert (board.read().state, board.read().since_s, board.read().heard_s) == (ChatState.GONE, 2, GONE_S + 5)
    board.hear(well)
    clock.advance(1)
    assert (board.read().state, board.read().since_s) == (ChatState.CONNECTED, 1)
