# Functions of the annotations, labels, categories and images stages, and of the demo.

# --- annotations and labels


def annotation_file(wildcards):
    """Return the annotations as an input where they lie on this file system, so that an edit is noticed."""
    path = local_path(CONFIG.splits[wildcards.split].annotations.uri)
    return str(path) if path else []


def annotation_uri(wildcards):
    """Return where a split's annotations are published."""
    return CONFIG.splits[wildcards.split].annotations.uri


def annotation_checksum(wildcards):
    """Return the option that pins a split's annotations, or nothing."""
    sha256 = CONFIG.splits[wildcards.split].annotations.sha256
    return f"--sha256 {sha256}" if sha256 else ""


def label_source(wildcards):
    """Return the file that holds the published labels: the annotations themselves, or a table of its own."""
    labels = CONFIG.splits[wildcards.split].labels
    return f"{DATA}/annotations/{wildcards.split}.json" if labels == "annotations" else labels


def correction_files(wildcards):
    """Return the corrections of a split in the order in which they apply, if it has any."""
    return CONFIG.splits[wildcards.split].corrections


def labels_of(wildcards):
    """Return the labels table of a split, or nothing where it has no labels."""
    return f"{RESULTS}/labels/{wildcards.split}.csv" if wildcards.split in LABELLED_SPLITS else []


# --- categories


def category_maps():
    """List the category maps: one per rank, and those configured."""
    return [f"{RESULTS}/categories/maps/{name}.csv" for name in [*RANKS, *CONFIG.categories.maps]]


def category_map_options():
    """Return one option per configured category map."""
    return " ".join(f"--map {quote(f'{name}={path}')}" for name, path in CONFIG.categories.maps.items())


# --- images


def image_folder(wildcards):
    """Return the folder or bucket that holds a split's images under their file names."""
    store = CONFIG.images.store or f"{DATA}/images"
    return CONFIG.splits[wildcards.split].images or f"{store}/{wildcards.split}"


def image_place(wildcards):
    """Return the options that name a split's images: a place to fill, or one that already holds them."""
    return ["--folder" if CONFIG.splits[wildcards.split].images else "--store", image_folder(wildcards)]


def image_program(wildcards):
    """Return the program that brings a split's images to where they are wanted, or checks them there."""
    filled = CONFIG.splits[wildcards.split].images is None and is_bucket(CONFIG.images.store or "")
    return "upload_images" if filled else "download_images"


def image_script(wildcards):
    """Return the file of that program."""
    return f"scripts/{image_program(wildcards)}.py"


def image_modules(wildcards):
    """Return the library files of that program."""
    return modules(image_program(wildcards))


def image_pins(wildcards):
    """Return the hashes that a split's images must have, where somebody has written them down."""
    # By study, so that another study's split of the same name is not held to these.
    pins = Path("config", "checksums", CONFIG.study, f"{wildcards.split}.csv")
    return str(pins) if pins.exists() else []


def image_pins_options(wildcards):
    """Return the option that names a split's pins, or nothing."""
    return [f"--pins={pins}"] if (pins := image_pins(wildcards)) else []


# --- the demo study


def start_demo_server():
    """Serve the demo's images from this process to the jobs that fetch them."""
    try:
        serve_directory(Path(DATA, "study", "www"), "127.0.0.1", CONFIG.demo.port)
    except InputError as error:
        raise WorkflowError(str(error)) from None
