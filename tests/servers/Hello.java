// A hello server of the JDK's own, and what Java asks a kernel for: ADDRESS [stay].
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Hello {
    static final String HELLO = "hello from Java";

    static void say(String what, boolean is) {
        System.out.println((is ? "ok " : "FAILED ") + what);
    }

    static String get(String url) throws IOException {
        try (var stream = URI.create(url).toURL().openStream()) {
            return new String(stream.readAllBytes());
        }
    }

    static boolean atOnce(String url, int count) throws Exception {
        var pool = Executors.newFixedThreadPool(8);
        var all = new ArrayList<Future<String>>();
        for (int i = 0; i < count; i++) {
            all.add(pool.submit(() -> get(url)));
        }
        for (var one : all) {
            if (!one.get().equals(HELLO)) {
                return false;
            }
        }
        return true;
    }

    static void files() throws IOException {
        Path path = Path.of("/tmp/java-file");
        try (var channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.READ)) {
            channel.write(ByteBuffer.wrap("kept".getBytes()));
            channel.map(FileChannel.MapMode.READ_WRITE, 0, 4).put(0, (byte) 'K');
            try (var lock = channel.tryLock()) {
                say("a locked file", lock.isValid());
            }
        }
        say("a mapped file", Files.readString(path).equals("Kept"));
    }

    static boolean selects() throws IOException {
        var selector = Selector.open();
        var pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        pipe.source().register(selector, SelectionKey.OP_READ);
        pipe.sink().write(ByteBuffer.wrap(new byte[1]));
        return selector.select(2000) == 1;
    }

    public static void main(String[] arguments) throws Exception {
        String[] parts = arguments[0].split(":");
        var visited = new CountDownLatch(1);
        var server = HttpServer.create(new InetSocketAddress(parts[0], Integer.parseInt(parts[1])), 0);
        server.createContext("/", exchange -> {
            byte[] text = HELLO.getBytes();
            exchange.sendResponseHeaders(200, text.length);
            exchange.getResponseBody().write(text);
            exchange.close();
            if (exchange.getRequestURI().getPath().equals("/visited")) {
                visited.countDown();
            }
        });
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        if (arguments.length > 1) {
            visited.await();
            Thread.sleep(1000);
            System.exit(0);
        }
        String url = "http://" + arguments[0] + "/";
        say("a request", get(url).equals(HELLO));
        say("50 by eight threads", atOnce(url, 50));
        files();
        var child = new ProcessBuilder("echo", "child").start();
        say("a child", new String(child.getInputStream().readAllBytes()).equals("child\n") && child.waitFor() == 0);
        say("a selector", selects());
        say("threads", Thread.activeCount() > 1);
        System.exit(0);
    }
}
